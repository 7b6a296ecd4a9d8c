"""
The Serverless CLI and its plugins, which npm installs into `node_modules`.

    python -m <package>.cli.node

installs them again, after a change of package.json.
"""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from . import ROOT
from .report import DeployError, write, write_error

OLDEST = 20
# Other programs that install packages for Node.js, by their lock files.
OTHERS = {"pnpm-lock.yaml": "pnpm install", "yarn.lock": "yarn install"}


# npm retries for a minute, and removes node_modules before that.
# https://docs.npmjs.com/cli/commands/npm-ping
PING = ("ping", "--fetch-retries=0", "--fetch-timeout=10000")
UNREACHABLE = re.compile(
    r"\b(?:ECONNREFUSED|ECONNRESET|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOTFOUND"
    r"|ERR_SOCKET_TIMEOUT|ETIMEDOUT|\w*CERT\w*)\b"
)


def main() -> int:
    """Install the packages, and return the exit status."""
    try:
        check_version()
        install_packages(ROOT)
    except DeployError as error:
        write_error(f"{error} {error.advice}".strip())
        return 1
    return 0


def install(root: Path) -> None:
    """
    Install the Serverless CLI unless it is there.

    Raises DeployError if Node.js is missing or older than 20, if npm fails, or if
    package.json does not have the CLI.
    """
    check_version()
    if not program(root).exists():
        install_packages(root)


def program(root: Path) -> Path:
    return root / "node_modules" / ".bin" / "serverless"


def install_packages(root: Path) -> None:
    """Install what package.json names with npm. Raises DeployError."""
    package = root / "package.json"
    if not package.is_file():
        raise DeployError(
            f"{package} does not exist. It names the Serverless CLI and its plugins: "
            "run django-on-lambda adopt, which writes it (docs/adopt.md)."
        )
    for lock, other in OTHERS.items():
        if (root / lock).is_file():
            raise DeployError(
                f"{program(root)} does not exist, and {lock} is not a lock file of "
                "npm.",
                advice=f"run: {other}",
            )
    modules = root / "node_modules"
    if modules.is_symlink():
        raise DeployError(
            f"{modules} is a link to {modules.resolve()}, and npm would delete what is "
            "there. Remove the link, or install the packages in that folder."
        )
    npm = shutil.which("npm")
    if not npm:
        raise DeployError(
            "npm, which comes with Node.js and installs the Serverless CLI, was not "
            "found on PATH. See https://nodejs.org/"
        )
    command = "ci" if (root / "package-lock.json").is_file() else "install"
    write(f"Installing the Serverless CLI with npm {command}")
    check_registry(npm, root)
    if error := npm_error([npm, command, "--no-audit", "--no-fund"], root):
        end = "\n".join(error.splitlines()[-10:])
        raise DeployError(f"npm could not install the packages of {package}:\n{end}")
    if not program(root).exists():
        raise DeployError(
            f'{package} does not have "serverless". Add to its devDependencies: '
            '"serverless": "npm:osls@^4.3.1", "serverless-offline": "^14.8.2", '
            '"fastest-levenshtein": "^1.0.16"'
        )


def check_registry(npm: str, root: Path) -> None:
    """Raise DeployError if there is no connection to npm's registry."""
    error = npm_error([npm, *PING], root)
    # A mirror may not answer a ping.
    if code := UNREACHABLE.search(error):
        reason = re.search(r"(?<=reason: ).+", error) or code
        raise DeployError(
            f"npm's registry cannot be reached: {reason[0]}. Check the network, the "
            "proxy (HTTPS_PROXY), and the mirror (npm config get registry)."
        )


def npm_error(command: list[str], root: Path) -> str:
    """Return what npm writes if it fails, or ""."""
    process = subprocess.run(
        command, cwd=root, capture_output=True, text=True, check=False
    )
    return process.stderr.strip() or "npm failed" if process.returncode else ""


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


if __name__ == "__main__":
    sys.exit(main())
