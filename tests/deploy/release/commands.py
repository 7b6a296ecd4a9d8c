"""The commands that a person gives, against a local AWS."""

import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from deploy.package.configuration import ROOT
from local.process import takes_interrupts
from tests.deploy.release.cloud import STACK, Cloud

ARCHITECTURE = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"


def changed(archive: Path, target: Path, **files: str) -> Path:
    """Return a copy of a package with more files in it: another version of the code."""
    shutil.copyfile(archive, target)
    with ZipFile(target, "a") as file:
        for name, text in files.items():
            file.writestr(name.replace("__", "/") + ".py", text)
    return target


def start(cloud: Cloud, command: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command of ours, as the leader of what a terminal interrupts."""
    return subprocess.Popen(
        [sys.executable, "-m", f"deploy.{command}", "--stage", "prod", *arguments],
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
    """Return the exit status of a command of ours, and what it said."""
    process = start(cloud, command, *arguments)
    said, _ = process.communicate(typed)
    return process.returncode, said


def release_arguments(
    cloud: Cloud, archive: Path, shift: str = "AllAtOnce"
) -> list[str]:
    parameters = {
        "architecture": ARCHITECTURE,
        "artifact": str(archive),
        "door": "rest-api",
        "trafficShift": shift,
        "alarmEmail": "night@example.com",
    }
    pairs = [f"--param={name}={value}" for name, value in parameters.items()]
    return [*pairs, "--url", cloud.gateway.url]


def release(cloud: Cloud, archive: Path) -> tuple[int, str]:
    return run(cloud, "release", *release_arguments(cloud, archive))


def set_secrets(cloud: Cloud, database: str) -> None:
    """Do what a person does before the first release."""
    ssm = cloud.aws.client("ssm")
    for name, value in {"secret-key": "k" * 60, "database-url": database}.items():
        ssm.put_parameter(
            Name=f"/django-on-lambda/prod/{name}", Value=value, Type="SecureString"
        )


def versions(cloud: Cloud) -> dict[str, str]:
    """Return the versions that have the traffic."""
    names = ("http", "tasks", "schedule", "manage")
    return {name: cloud.version(f"{STACK}-{name}") for name in names}


def live(cloud: Cloud) -> set[str]:
    """Return the same, where it is of interest that all functions are alike."""
    return {*versions(cloud).values()}
