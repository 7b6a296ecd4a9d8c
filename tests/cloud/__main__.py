"""
Release this project to a local AWS that others wrote, and leave it there until Ctrl-C.

    make cloud
    make cloud ARGS=--param=eventSource=rest-api

The package is built unless it has the code of the commit. MiniStack and PostgreSQL are
started on 127.0.0.1, and the stage "dev" is released with the real commands. More is in
docs/local-cloud.md.
"""

import argparse
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.package.platform import Platform, runtime_python
from apps.aws_lambda.cli.release.deploy import parameter
from apps.aws_lambda.cli.report import (
    DeployError,
    interrupt_on_signals,
    step,
    write,
    write_error,
)
from tests.cli.release.commands import ARCHITECTURE
from tests.cloud.stage import Stage, domain, package, release_options
from tests.services.install import Unavailable
from tests.services.memory import in_memory
from tests.services.ministack import DOMAIN, MiniStack
from tests.services.postgresql import PostgreSQL

VARIABLES = ROOT / ".run" / "cloud.env"
USERNAME = "admin"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the stage until Ctrl-C, and return the exit status."""
    parser = argparse.ArgumentParser(
        prog="make cloud",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=parameter,
        help="a parameter of the release, besides those of a domain",
    )
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    # Of the functions, each of which unpacks the package.
    if folder := in_memory():
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    with ExitStack() as started:
        try:
            check_platform()
            with step("Package, unless it is built"):
                archive = package()
            with step("Start MiniStack and PostgreSQL"):
                server = started.enter_context(PostgreSQL())
                aws = started.enter_context(MiniStack())
            stage = Stage(aws, "dev", server.url())
            url = f"https://{DOMAIN}:{aws.port}"
            given = {"eventSource": "http-api", "artifact": str(archive)}
            release(stage, {**given, **domain(url), **dict(options.param)})
            VARIABLES.parent.mkdir(exist_ok=True)
            started.callback(VARIABLES.unlink, missing_ok=True)
            VARIABLES.write_text(exports(stage))
            write(summary(stage, url, create_superuser(stage)))
            while aws.is_running:
                time.sleep(1)
            raise DeployError(f"MiniStack has ended. The end of its log:\n{aws.tail()}")
        except KeyboardInterrupt:
            write("\nStopping.")
        except (DeployError, Unavailable) as error:
            write_error(f"\n{error}")
            return 1
    write("Stopped. The account, its database and its files are gone.")
    return 0


def check_platform() -> None:
    """Raise DeployError unless this machine can run a package."""
    if not Platform(ARCHITECTURE, runtime_python(ROOT)).runs_here:
        raise DeployError(
            f"This machine is {sys.platform}, and MiniStack runs the functions on it, "
            "while a package is for Linux. Run the command on Linux."
        )


def release(stage: Stage, parameters: dict[str, str]) -> None:
    """Create the secrets and run `django-on-lambda deploy`, which prints its steps."""
    stage.create_secrets()
    status = subprocess.run(
        stage.command("deploy", *release_options(parameters)),
        cwd=stage.root,
        env=stage.variables(),
        check=False,
    ).returncode
    if status:
        raise DeployError("The release failed, for the reason above.")


def create_superuser(stage: Stage) -> str:
    """Create a superuser with `manage.py remote`, and return the password."""
    password = secrets.token_urlsafe(12)
    argv = ["createsuperuser", "--username", USERNAME, "--email", "admin@example.com"]
    status, output = stage.run(stage.remote(*argv), DJANGO_SUPERUSER_PASSWORD=password)
    if status:
        raise DeployError(f"The superuser could not be created:\n{output}")
    return password


def exports(stage: Stage) -> str:
    """Return the lines that lead the programs of a shell to the local AWS."""
    variables = stage.aws.environment()
    return "".join(f"export {name}='{value}'\n" for name, value in variables.items())


def summary(stage: Stage, url: str, password: str) -> str:
    return f"""
  Site      {url}/
  Admin     {url}/admin/
  Login     {USERNAME}, password {password}
  AWS       {stage.aws.url}

  The certificate is self-signed: let the browser continue, or use curl -k.
  In a second terminal, all commands work on this stage:
    . {VARIABLES.relative_to(ROOT)} && make info
    . {VARIABLES.relative_to(ROOT)} && make logs FUNCTION=tasks

  Ctrl-C stops and removes everything."""


if __name__ == "__main__":
    sys.exit(main())
