"""
The commands of a developer: django-on-lambda <command> [options].

Without the installed program: python -m <package>.cli <command>, or a make target.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from signal import SIGINT

from . import ROOT, resources
from .process import dies_with_parent
from .report import write_error

# Each in a module with a function `main`, which is imported for its command only.
COMMANDS = {
    "adopt": (".adopt.command", "Write the files with which a site runs on Lambda"),
    "run": (".run.command", "Serve the site as API Gateway does"),
    "schedule": (".run.schedule", "Run a schedule of the stage in the local site"),
    "check": (".check.command", "Compare the site on Lambda with the site before"),
    "package": (".package.command", "Build the archive that Lambda runs, and test it"),
    "bootstrap": (".bootstrap.command", "Let GitHub Actions release a stage"),
    "deploy": (".release.deploy", "Release this folder to a stage"),
    "rollback": (".release.rollback", "Return the traffic to the previous version"),
    "rotate": (".rotate.command", "Replace a secret of a stage"),
    "info": (".release.info", "Print the versions and the health of a stage"),
    "doctor": (".doctor.command", "Ask a stage what is wrong with it"),
    "bucket": (".bucket.command", "Try what the bucket of a stage accepts and refuses"),
    "logs": (".release.logs", "Follow the log of a function"),
    "remove": (".release.remove", "Remove a stage, after confirmation"),
    "capacity": (".capacity", "Compute concurrency and database connections"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(
        prog="django-on-lambda",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="commands:\n"
        + "\n".join(f"  {name:10}{text}" for name, (_, text) in COMMANDS.items()),
    )
    parser.add_argument("--version", action="version", version=resources.version())
    parser.add_argument("command", choices=COMMANDS, metavar="command", nargs="?")
    parser.add_argument(
        "options",
        nargs=argparse.REMAINDER,
        help="those of the command: django-on-lambda <command> --help",
    )
    given = parser.parse_args(arguments)
    if not given.command:
        parser.print_help(sys.stderr)
        return 2
    module, _ = COMMANDS[given.command]
    # The Serverless CLI, which starts it, does not signal its children when it ends.
    if given.command == "package" and (end_with_the_cli := dies_with_parent(SIGINT)):
        end_with_the_cli()
    try:
        changed = resources.refresh(ROOT)
    except OSError as error:
        write_error(
            f"{error.filename or ROOT / resources.FOLDER} cannot be written: "
            f"{error.strerror}. The plugins of the Serverless CLI are copied to "
            f"{ROOT / resources.FOLDER}: let this user write there."
        )
        return 1
    if changed and "--environment" in given.options:
        # The Serverless CLI, which asks for a package, has read the old files.
        write_error(
            f"{ROOT / resources.FOLDER} was of another version and is up to date now. "
            "Run the same command again."
        )
        return 1
    try:
        run = import_module(module, __package__).main
    except ModuleNotFoundError as error:
        if error.name not in ("boto3", "botocore"):
            raise
        write_error(
            f"{given.command} needs boto3, which {sys.executable} cannot import. It is "
            "in the extra: pip install 'django-on-lambda[deploy]'"
        )
        return 1
    status: int = run(given.options)
    return status


if __name__ == "__main__":
    sys.exit(main())
