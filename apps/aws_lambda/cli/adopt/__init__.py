"""
Adopt a site: find out what it is, and write what it needs to run on Lambda.

`repository`, `modules` and `locks` read files, `probe` runs inside the site, and
`environment` runs it until the settings load. `facts` has all that was found,
`judgement` what follows from it, `plan` the texts of the new files, and `record` what
was written, for the next run, --diff and --undo. `options` are those of the command.
"""
