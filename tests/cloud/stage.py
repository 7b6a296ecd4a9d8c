"""A stage of this project on a local AWS, released by the real commands."""

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.package import PackageError
from apps.aws_lambda.cli.package.archive import read_manifest
from apps.aws_lambda.cli.package.build import commit
from apps.aws_lambda.cli.package.platform import Platform, runtime_python
from apps.aws_lambda.cli.release.stage import LIVE
from tests.cli.release.commands import ARCHITECTURE
from tests.names import SERVICE
from tests.services.install import Unavailable
from tests.services.ministack import ACCOUNT, DOMAIN, REGION, MiniStack

PACKAGE = ROOT / "dist" / f"lambda-{ARCHITECTURE}.zip"


class Stage:
    """
    The stage ``name`` on ``aws``, whose functions use the database of an URL.

    Nothing is released yet. Commands run in the folder ``root`` as a developer types
    them, and in an environment from which nothing but ``aws`` is reached.
    """

    def __init__(
        self, aws: MiniStack, name: str, database_url: str, root: Path = ROOT
    ) -> None:
        self.aws = aws
        self.name = name
        self.root = root
        self.stack = f"{SERVICE}-{name}"
        self.secrets = {
            "secret-key": secrets.token_urlsafe(50),
            "database-url": database_url,
        }

    def create_secrets(self) -> None:
        """Create the parameters, as an operator does before the first release."""
        for name, value in self.secrets.items():
            self.aws.client("ssm").put_parameter(
                Name=f"/{SERVICE}/{self.name}/{name}", Value=value, Type="SecureString"
            )

    def variables(self) -> dict[str, str]:
        """Return the environment variables of a developer's terminal."""
        return {
            "PATH": f"{ROOT}/.venv/bin:{os.environ.get('PATH', '')}",
            "HOME": str(self.aws.folder),
            "TMPDIR": os.environ.get("TMPDIR", ""),
            # Not the stage's: it has the settings of this machine.
            "ENV_FILE": os.devnull,
            # The CLI asks CloudFormation every five seconds by default.
            "SLS_AWS_MONITORING_FREQUENCY": "100",
            **self.aws.environment(),
        }

    def command(self, name: str, *options: str) -> list[str]:
        """Return the command line of `django-on-lambda <name>` for this stage."""
        program = [sys.executable, "-m", "apps.aws_lambda.cli", name]
        return [*program, "--stage", self.name, *options]

    def remote(self, *argv: str) -> list[str]:
        """Return the command line of `manage.py remote`."""
        return [sys.executable, "manage.py", "remote", "--stage", self.name, *argv]

    def run(
        self, command: Sequence[str], typed: str = "", **variables: str
    ) -> tuple[int, str]:
        """Return the exit status of a command, and what it prints."""
        process = subprocess.run(
            command,
            cwd=self.root,
            env=self.variables() | variables,
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return process.returncode, process.stdout

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack."""
        client = self.aws.client("cloudformation")
        [stack] = client.describe_stacks(StackName=self.stack)["Stacks"]
        return {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}

    def version(self, function: str = "http", alias: str = LIVE) -> str:
        """Return the version of a function behind an alias."""
        answer = self.aws.client("lambda").get_alias(
            FunctionName=f"{self.stack}-{function}", Name=alias
        )
        return str(answer["FunctionVersion"])


def domain(url: str) -> dict[str, str]:
    """Return the parameters of a release with a domain of its own, for its URL."""
    return {
        "domain": DOMAIN,
        "certificate": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/site",
        "publicUrl": url,
    }


def release_options(parameters: Mapping[str, str]) -> list[str]:
    """Return the options of a release for the functions of this machine."""
    found = {"architecture": ARCHITECTURE, **parameters}
    return [f"--param={name}={value}" for name, value in found.items()]


def is_built() -> bool:
    """Return whether PACKAGE has the code of the commit, and nothing has changed."""
    try:
        manifest = read_manifest(PACKAGE, Platform(ARCHITECTURE, runtime_python(ROOT)))
    except PackageError:
        return False
    clean = {"commit": manifest["commit"], "dirty": False}
    return not manifest["dirty"] and commit(ROOT, Configuration.read(ROOT)) == clean


def package() -> Path:
    """
    Return the package of this folder, which is built unless it is there.

    Raises Unavailable if that fails.
    """
    if not is_built():
        command = [sys.executable, "-m", "apps.aws_lambda.cli", "package"]
        command += ["--arch", ARCHITECTURE]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            raise Unavailable("The package was not built, for the reason above.")
    return PACKAGE
