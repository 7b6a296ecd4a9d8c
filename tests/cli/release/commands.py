"""The commands of a stage, run against a local AWS."""

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.process import takes_interrupts
from tests.cli.release.cloud import STACK, Cloud
from tests.names import SERVICE

ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def changed(archive: Path, target: Path, **files: str) -> Path:
    """Return a copy of a package with additional files: another version."""
    shutil.copyfile(archive, target)
    with ZipFile(target, "a") as file:
        for name, text in files.items():
            file.writestr(name.replace("__", "/") + ".py", text)
    return target


def start(cloud: Cloud, command: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, which Ctrl-C interrupts."""
    command = "deploy" if command == "release" else command
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "apps.aws_lambda.cli", command),
            *("--stage", "prod", *arguments),
        ],
        cwd=ROOT,
        env={
            "PATH": f"{ROOT}/.venv/bin:/usr/local/bin:/usr/bin:/bin",
            "HOME": "/nowhere",
            "TMPDIR": tempfile.gettempdir(),
        }
        | cloud.variables(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=takes_interrupts,
        text=True,
    )


def run(
    cloud: Cloud, command: str, *arguments: str, typed: str = ""
) -> tuple[int, str]:
    """Return the exit status and the output of a command."""
    process = start(cloud, command, *arguments)
    output, _ = process.communicate(typed)
    return process.returncode, output


def release_arguments(
    cloud: Cloud, archive: Path, shift: str = "AllAtOnce"
) -> list[str]:
    parameters = {
        "architecture": ARCHITECTURE,
        "artifact": str(archive),
        "bootstrap": "true",
        "eventSource": "rest-api",
        "trafficShift": shift,
        "alarmEmail": "night@example.com",
    }
    pairs = [f"--param={name}={value}" for name, value in parameters.items()]
    return [*pairs, "--url", cloud.gateway.url]


def release(cloud: Cloud, archive: Path) -> tuple[int, str]:
    return run(cloud, "release", *release_arguments(cloud, archive))


def set_secrets(cloud: Cloud, database: str) -> None:
    """Create the secrets, as before a first release."""
    ssm = cloud.aws.client("ssm")
    for name, value in {"secret-key": "k" * 60, "database-url": database}.items():
        ssm.put_parameter(
            Name=f"/{SERVICE}/prod/{name}", Value=value, Type="SecureString"
        )


def versions(cloud: Cloud) -> dict[str, str]:
    """Return the live versions by function."""
    names = ("http", "tasks", "schedule", "manage")
    return {name: cloud.version(f"{STACK}-{name}") for name in names}


def live(cloud: Cloud) -> set[str]:
    """Return the live versions of all functions."""
    return {*versions(cloud).values()}
