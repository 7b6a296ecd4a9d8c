"""Build the archive, step by step."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..report import step, write
from .archive import compile_all, write_manifest, write_zip
from .code import collect_static, copy_code, leave_out_static
from .configuration import Configuration, PackageError
from .dependencies import check_environment, check_wheels, install, leave_out, pins
from .secrets import check_secrets

PYTHON = (3, 13)


def build(root: Path, arch: str) -> Path:
    """
    Write `dist/lambda-<arch>.zip` of the project in ``root``, and return its path.

    Raises PackageError.
    """
    if sys.version_info[:2] != PYTHON:
        raise PackageError(
            f"The bytecode for Lambda needs Python {'.'.join(map(str, PYTHON))}, but "
            f".venv has {sys.version.split()[0]}. Run: make clean setup"
        )
    configuration = Configuration.read(root)
    lock = root / "requirements" / "runtime.txt"
    versions = {
        name: pin
        for name, pin in pins(lock).items()
        if name not in configuration.provided
    }
    check_environment(versions)
    archive = root / "dist" / f"lambda-{arch}.zip"
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "package"
        with step("Project code"):
            left_out = copy_code(root, configuration, target)
        for name in left_out:
            write(f"  left out: {name}")
        with step("Static files"):
            collect_static(target)
            leave_out_static(target)
        with step(f"Packages for {arch}"):
            install(lock, arch, configuration.provided, target)
            check_wheels(target, arch)
            leave_out(target, configuration.leave_out)
        check_secrets(target)
        with step("Bytecode"):
            compile_all(target)
        with step("Archive"):
            write_manifest(target, facts(root, arch, configuration, versions))
            write_zip(target, archive)
    return archive


def facts(
    root: Path, arch: str, configuration: Configuration, versions: dict[str, str]
) -> dict[str, Any]:
    """Return the build manifest without its ID."""
    inputs = [*configuration.code, *configuration.files, "requirements/runtime.txt"]
    return {
        "architecture": arch,
        "commit": git(root, "rev-parse", "HEAD"),
        # Whether any input differs from the commit.
        "dirty": bool(git(root, "status", "--porcelain", "--", *inputs)),
        "packages": versions,
        "python": "{}.{}".format(*PYTHON),
    }


def git(root: Path, *command: str) -> str | None:
    """Return the output of git, or None outside a repository."""
    process = subprocess.run(
        ["git", "-C", str(root), *command],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout.strip() if process.returncode == 0 else None
