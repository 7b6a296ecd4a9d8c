"""
A site that startproject writes, with the app copied next to it as django_on_lambda.

Nothing of this repository can be imported there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.services import install

LAMBDA_SETTINGS = """
from .settings import *  # noqa: F403
from django_on_lambda.settings import apply

apply(globals())
"""

# Settings that have the app, and do not call apply().
DEVELOPMENT = """
from .settings import *  # noqa: F403

INSTALLED_APPS = [*INSTALLED_APPS, "django_on_lambda"]
"""

ENTRY = """
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.lambda_settings")

from django_on_lambda.bootstrap import init_phase

with init_phase():
    from django_on_lambda import handlers

    http = handlers.http()
"""

# Which the deployment sets.
VARIABLES = {
    "PUBLIC_URL": "https://www.example.com",
    "LAMBDA_HOSTS": ".execute-api.eu-west-1.amazonaws.com,.lambda-url.eu-west-1.on.aws",
}


def this_python() -> list[str]:
    """Return the command of this interpreter, with the packages that it sees."""
    return [sys.executable, *(["-S"] if sys.flags.no_site else [])]


class MySite:
    """The site's folder, and what runs in it with one interpreter."""

    def __init__(self, folder: Path, python: list[str]) -> None:
        self.folder = folder
        self.python = python

    def create(self) -> None:
        """Write the site, its database and its static files."""
        self.run("-m", "django", "startproject", "mysite", ".")
        self.write("mysite/lambda_settings.py", LAMBDA_SETTINGS)
        self.write("mysite/development.py", DEVELOPMENT)
        self.write("lambda_entry.py", ENTRY)
        shutil.copytree(
            install.PROJECT / "apps" / "aws_lambda",
            self.folder / "django_on_lambda",
            ignore=shutil.ignore_patterns("cli", "__pycache__"),
        )
        self.manage("migrate", "--verbosity=0")
        self.manage("collectstatic", "--noinput", "--verbosity=0")

    def write(self, path: str, text: str) -> None:
        (self.folder / path).write_text(text)

    def run(self, *arguments: str, check: bool = True, **variables: str) -> str:
        """
        Return the standard output of the interpreter, and without ``check`` all output.

        Raises AssertionError with the output if it fails.
        """
        process = subprocess.run(
            [*self.python, *arguments],
            cwd=self.folder,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                **VARIABLES,
                **variables,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if not check:
            return process.stdout + process.stderr
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    def manage(self, *arguments: str, check: bool = True, **variables: str) -> str:
        """Return the output of a management command with the settings for Lambda."""
        settings = {"DJANGO_SETTINGS_MODULE": "mysite.lambda_settings"} | variables
        return self.run("manage.py", *arguments, check=check, **settings)
