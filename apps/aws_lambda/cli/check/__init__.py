"""
Compare the site on Lambda with the site as it was, on this machine.

The site runs in processes of its own interpreter (`programs`), with the stand-ins of
django-on-lambda.toml as its environment and a copy of its database. This process sends
them requests and compares the responses; it imports nothing of the site.
"""
