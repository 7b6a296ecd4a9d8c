"""
Examine a Django site, and write the files with which it runs on AWS Lambda.

    django-on-lambda adopt [--dry-run | --yes]      show the new files, ask, write them
    django-on-lambda adopt --yes --crawl            and compare all pages afterwards
    django-on-lambda adopt --diff                   after an upgrade: merge the new ones
    django-on-lambda adopt --undo [--force]         remove what was written
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import resources
from ..check.command import main as check
from ..check.command import next_steps
from ..configuration import FILE as CONFIGURATION
from ..configuration import Configuration
from ..package import PackageError
from ..report import write, write_error
from .facts import Refused, Site, examine, find_site
from .judgement import Line, findings, refusals, warnings
from .options import parse
from .plan import EVENT_SOURCES, Answers, plan, service_name
from .record import (
    IGNORE_FILE,
    RECORD,
    Changes,
    Record,
    changes,
    read_record,
    undo,
)
from .repository import Repository

# What npm and the other commands write, which the block in .gitignore hides.
LEFT_BY_OTHERS = (".run", ".serverless", "dist", "node_modules", "package-lock.json")

PREFIX = Line(
    "rest-api",
    "serves the site below /<stage>/ until it has a domain. To find the links that "
    "lead out of it: django-on-lambda check --crawl",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 if it refuses."""
    options = parse(__doc__, arguments)
    try:
        root = find_site(options.root.resolve())
        record = read_record(root)
        if options.undo:
            return take_back(root, record, options)
        status, first = adopt(root, record, options)
    except (Refused, PackageError, ValueError) as error:
        write_error(f"Refused: {error}")
        return 1
    except OSError as error:
        write_error(f"Refused: {error.filename}: {error.strerror}. Correct it first.")
        return 1
    except KeyboardInterrupt:
        write_error("Nothing was changed.")
        return 130
    # Without an answer of "y" there is nothing to check.
    if status or not (root / CONFIGURATION).is_file():
        return status
    if options.check:
        return check(checked(root, options.crawl), first=first)
    if first:
        steps = next_steps(Configuration.read(root), crawled=False, first=first)
        write("\n".join(["", "Next:", *(f"  {step}" for step in steps)]))
    return 0


def checked(root: Path, crawl: bool) -> list[str]:
    """Return the arguments of a check through the event source of the deployment."""
    record = read_record(root)
    arguments = ["--root", str(root), *(["--crawl"] if crawl else [])]
    # The check has a default of its own, which depends on PUBLIC_URL.
    if record and record.answers.event_source != "http-api":
        arguments += ["--event-source", EVENT_SOURCES[record.answers.event_source]]
    return arguments


def adopt(
    root: Path, record: Record | None, options: argparse.Namespace
) -> tuple[int, str]:
    """
    Examine the site, and write or merge its files after confirmation.

    Returns the exit status, and the command that comes next if files were written.
    """
    if options.diff and not record:
        raise Refused(
            f"{root} has no {RECORD}: nothing was written before. Omit --diff."
        )
    own = {*record.files, RECORD} if record else set()
    refused = [*repository_refusals(root, own)]
    if refused and not options.dry_run:
        raise Refused(" ".join(refused))
    answers = answered(root, record, options)
    # A site that starts slowly is silent for a while.
    write(f"Examining {root}: Django starts a few times, in a copy of it.")
    site = examine(
        root,
        production=answers.production,
        stand_ins=answers.stand_ins or {},
        own=own,
    )
    show(site, answers)
    keeps = {name for name in site.tracked if not record or name not in record.files}
    files = plan(site, answers, keeps)
    made = record.made_ignore_file if record else not (root / IGNORE_FILE).exists()
    wanted = changes(root, Record(answers, files, made), record)
    refused += [*refusals(site), *(foreign(name) for name in wanted.foreign)]
    write(f"\n{wanted.diff()}" if wanted.texts else "")
    for reason in refused:
        write_error(f"Refused: {reason}")
    if options.dry_run:
        write("Nothing was changed: --dry-run.")
        return (1 if refused else 0), ""
    if refused:
        return 1, ""
    for name, reason in wanted.kept.items():
        write(f"{name} {reason}, and stays so.")
    if record and not options.diff and wanted.texts:
        write(
            "Nothing was changed. This site or this version differs from what was "
            "written before; to merge the difference shown above, run: "
            f"{program(site)} adopt --diff"
        )
        return 0, ""
    if not wanted.texts:
        write("Nothing to change.")
        return 0, ""
    if not confirmed(wanted, options):
        return 0, ""
    wanted.make()
    for name in wanted.conflicts:
        write(f"{name} has conflicts, between <<<<<<< and >>>>>>>. Resolve them.")
    for name in (*files, RECORD):
        if rule := site.repository.ignored(name):
            write(f"{name} is ignored by {rule}. Run: git add --force {name}")
    return (1 if wanted.conflicts else 0), commit(keeps)


def answered(root: Path, record: Record | None, options: argparse.Namespace) -> Answers:
    """Return the answers of the last run, with those that the options change."""
    answers = record.answers if record else Answers(service_name(root))
    return replace(
        answers,
        service=options.service or answers.service,
        production=options.production or answers.production,
        event_source=options.event_source or answers.event_source,
        stand_ins={**(answers.stand_ins or {}), **dict(options.stand_in)},
    )


def repository_refusals(root: Path, own: set[str]) -> list[str]:
    """Return why uncommitted changes, except those of adopt, are refused."""
    repository = Repository(root)
    if not repository.exists():
        return [
            f"{root} is not in a git repository with a commit, and the package has "
            "what git tracks. Run: git init && git add -A && git commit -m 'My site'"
        ]
    changed = [
        name
        for name in repository.changed()
        if name not in own and not (own and name == IGNORE_FILE)
    ]
    if not changed:
        return []
    more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
    return [
        f"There are uncommitted changes: {', '.join(changed[:5])}{more}. Commit or "
        "stash them, so that a diff has only what is written."
    ]


def foreign(name: str) -> str:
    """Return why an existing file is refused."""
    return (
        f"{name} exists, and adopt did not write it. Rename it, or move what it has "
        f"to the file that you keep, and commit that."
    )


def show(site: Site, answers: Answers) -> None:
    """Print what was found, and the warnings."""
    write(f"Found in {site.root}:")
    for line in findings(site):
        write(str(line))
    found = [*warnings(site)]
    if answers.event_source == "rest-api":
        found.append(PREFIX)
    if found:
        write("\nWarnings:")
        for line in found:
            write(str(line))


def confirmed(wanted: Changes, options: argparse.Namespace) -> bool:
    """Return whether the changes are to be made, and print why not."""
    if options.yes:
        return True
    if not sys.stdin.isatty():
        write("Nothing was changed: there is no terminal to ask. Add --yes.")
        return False
    number = len(wanted.texts)
    if input(f"Write {number} files? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    write("Nothing was changed.")
    return False


def commit(keeps: set[str]) -> str:
    """Return the command that commits the new files, with npm's lock file."""
    install = "npm install"
    if "package.json" in keeps:
        install += " --save-dev serverless@npm:osls@4 serverless-offline@14"
        install += " fastest-levenshtein@1"
    return f"{install} && git add -A && git commit -m 'Run on AWS Lambda'"


def program(site: Site) -> str:
    """Return the command line that starts these commands: "uv run ..."."""
    return Configuration("", site.lock.path if site.lock else "", ()).program


def take_back(root: Path, record: Record | None, options: argparse.Namespace) -> int:
    """Remove what was written, after confirmation."""
    if not record:
        write(f"Nothing to remove: {root} has no {RECORD}.")
        return 0
    wanted = undo(root, record, edited=options.force)
    if wanted.kept:
        names = ", ".join(wanted.kept)
        raise Refused(
            f"Edited since they were written: {names}. To remove them all the same, "
            "add --force."
        )
    write(wanted.diff())
    if not confirmed(wanted, options):
        return 0
    wanted.make()
    shutil.rmtree(root / resources.FOLDER, ignore_errors=True)
    write("Removed.")
    left = [n for n in Repository(root).changed() if n.split("/")[0] in LEFT_BY_OTHERS]
    if left:
        folders = sorted({name.split("/")[0] for name in left})
        write(f"Left by other commands: {', '.join(folders)}")
    return 0
