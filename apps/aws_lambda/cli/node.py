"""The Serverless CLI and its plugins, which npm installs into `node_modules`."""

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from .report import DeployError, write

OLDEST = 20
# Other programs that install packages for Node.js, by their lock files.
OTHERS = {"pnpm-lock.yaml": "pnpm install", "yarn.lock": "yarn install"}


def install(root: Path) -> None:
    """
    Install the Serverless CLI unless it is there.

    Raises DeployError if Node.js is missing or older than 20, if npm fails, or if
    package.json does not have the CLI.
    """
    program = root / "node_modules" / ".bin" / "serverless"
    check_version()
    if program.exists():
        return
    package = root / "package.json"
    if not package.is_file():
        raise DeployError(
            f"{package} does not exist. It names the Serverless CLI and its plugins: "
            "run django-on-lambda adopt, which writes it (docs/adopt.md)."
        )
    for lock, command in OTHERS.items():
        if (root / lock).is_file():
            raise DeployError(
                f"{program} does not exist, and {lock} is not a lock file of npm.",
                advice=f"run: {command}",
            )
    npm = shutil.which("npm")
    if not npm:
        raise DeployError(
            "npm, which comes with Node.js and installs the Serverless CLI, was not "
            "found on PATH. See https://nodejs.org/"
        )
    locked = (root / "package-lock.json").is_file()
    write(f"Installing the Serverless CLI with npm {'ci' if locked else 'install'}")
    process = subprocess.run(
        [npm, "ci" if locked else "install", "--no-audit", "--no-fund"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        end = "\n".join(process.stderr.strip().splitlines()[-10:])
        raise DeployError(f"npm could not install the packages of {package}:\n{end}")
    if not program.exists():
        raise DeployError(
            f'{package} does not have "serverless". Add to its devDependencies: '
            '"serverless": "npm:osls@^4.3.1", "serverless-offline": "^14.8.2", '
            '"fastest-levenshtein": "^1.0.16"'
        )


@cache
def check_version() -> None:
    """Raise DeployError unless Node.js is installed, in a version that is supported."""
    node = shutil.which("node")
    if not node:
        raise DeployError(
            "Node.js, which runs the Serverless CLI, was not found on PATH. Install "
            f"version {OLDEST} or newer: https://nodejs.org/"
        )
    process = subprocess.run(
        [node, "--version"], capture_output=True, text=True, check=False
    )
    found = re.match(r"v(\d+)", process.stdout)
    if not found or int(found[1]) < OLDEST:
        raise DeployError(
            f"{node} is Node.js {process.stdout.strip() or 'of an unknown version'}, "
            f"and the Serverless CLI needs {OLDEST} or newer: https://nodejs.org/"
        )
