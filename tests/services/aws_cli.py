"""The AWS CLI, installed by its hashes for the tests."""

import sys
from functools import cache
from pathlib import Path

from tests.services import install

LOCK = install.PROJECT / "requirements" / "aws-cli.txt"

# Isolated, because the folder from which a command runs could hide a module.
PROGRAM = """\
#!{python} -I
import sys
sys.path.insert(0, {packages!r})
from awscli.clidriver import main
sys.exit(main())
"""


def write_program(path: Path) -> None:
    """Write the program `aws`; install what it needs."""
    path.write_text(PROGRAM.format(python=sys.executable, packages=str(_packages())))
    path.chmod(0o755)


@cache
def _packages() -> Path:
    return install.once("aws-cli", LOCK, _install)


def _install(folder: Path) -> None:
    install.say(f"Installing {LOCK.name}, the AWS CLI, into .cache/aws-cli.")
    install.packages(LOCK, folder)
