"""
Build the archive that Lambda runs, or look at one that was built before.

    python -m deploy.package [--arch x86_64] [--environment '{"STAGE": "prod"}']
        [--archive dist/lambda-x86_64.zip]
"""

import argparse
import json
import platform
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from local.process import dies_with_parent

from ..report import complain, say, step
from .archive import check_archive, compile_all, write_manifest, write_zip
from .code import collect_static, copy_code, leave_out_static
from .configuration import PLATFORMS, ROOT, Configuration, PackageError
from .dependencies import check_environment, check_wheels, install, leave_out, pins
from .runtime import unpacked
from .secrets import guard
from .sizes import check_limits, size_table, sizes
from .smoke import smoke

PYTHON = (3, 13)


def main(arguments: list[str] | None = None) -> int:
    """Build, unless there is an archive, and serve it; return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.package")
    parser.add_argument("--arch", choices=PLATFORMS, default="arm64")
    parser.add_argument("--environment", type=json.loads, default={})
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    try:
        archive = options.archive or build(options.root.resolve(), options.arch)
        say(f"{archive} is build {check_archive(archive, options.arch)}")
        try_out(archive, options.arch, options.environment, options.root)
    except PackageError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def build(root: Path, arch: str) -> Path:
    """Return the archive for an architecture, written to `dist`."""
    if sys.version_info[:2] != PYTHON:
        raise PackageError("Bytecode for Lambda is made by the same version of Python.")
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
            say(f"  left out: {name}")
        with step("Static files"):
            collect_static(target)
            leave_out_static(target)
        with step(f"Packages for {arch}"):
            install(lock, arch, configuration.provided, target)
            check_wheels(target, arch)
            leave_out(target, configuration.leave_out)
        guard(target)
        with step("Bytecode"):
            compile_all(target)
        with step("Archive"):
            write_manifest(target, facts(root, arch, configuration, versions))
            write_zip(target, archive)
    return archive


def try_out(archive: Path, arch: str, stage: dict[str, Any], root: Path) -> None:
    """
    Serve the archive, where this machine is able to run it, or say why not.

    Raises PackageError with what is wrong with it.
    """
    say(size_table(archive))
    unzipped, _ = sizes(archive)
    for warning in check_limits(unzipped.total(), archive.stat().st_size):
        say(f"Warning: {warning}")
    with unpacked(archive) as folder:
        # Anybody may have made it, or changed it since.
        guard(folder)
        check_wheels(folder, arch)
        if runs_here(arch):
            with step("Smoke test"):
                say(f"  {smoke(folder, stage, Configuration.read(root))}")
        else:
            say(
                f"Smoke test skipped: this machine is {platform.machine()}, and cannot "
                f"run a package for {arch}. All libraries in it are for {arch}."
            )


def runs_here(arch: str) -> bool:
    """Tell whether this machine runs libraries for Linux and an architecture."""
    _, tag = PLATFORMS[arch]
    return platform.system() == "Linux" and platform.machine() == tag


def facts(
    root: Path, arch: str, configuration: Configuration, versions: dict[str, str]
) -> dict[str, Any]:
    """Return what the build manifest says besides its ID."""
    inputs = [*configuration.code, *configuration.files, "requirements/runtime.txt"]
    return {
        "architecture": arch,
        "commit": git(root, "rev-parse", "HEAD"),
        # Something of it is not as in the commit.
        "dirty": bool(git(root, "status", "--porcelain", "--", *inputs)),
        "packages": versions,
        "python": "{}.{}".format(*PYTHON),
    }


def git(root: Path, *command: str) -> str | None:
    """Return what git prints, or None where there is no repository."""
    process = subprocess.run(
        ["git", "-C", str(root), *command],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
    )
    return process.stdout.strip() if process.returncode == 0 else None


if __name__ == "__main__":
    # The CLI does not tell its children when it is told to end.
    if die_with_the_cli := dies_with_parent(signal.SIGINT):
        die_with_the_cli()
    sys.exit(main())
