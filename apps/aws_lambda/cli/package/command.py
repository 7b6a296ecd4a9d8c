"""
Build the archive that Lambda runs, or check one that was built before.

    django-on-lambda package [--arch x86_64] [--environment '{"STAGE": "prod"}']
        [--archive dist/lambda-x86_64.zip]
"""

import argparse
import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import ROOT
from ..report import step, write, write_error
from .archive import read_build_id
from .build import build
from .configuration import PLATFORMS, Configuration, PackageError
from .dependencies import check_wheels
from .runtime import unpacked
from .secrets import check_secrets
from .sizes import check_limits, size_table, sizes
from .smoke import smoke_test


def main(arguments: Sequence[str] | None = None) -> int:
    """Build an archive unless one is given, check it, and return the exit status."""
    parser = argparse.ArgumentParser(prog="django-on-lambda package")
    parser.add_argument("--arch", choices=PLATFORMS, default="arm64")
    parser.add_argument("--environment", type=json.loads, default={})
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--root", type=Path, default=ROOT)
    options = parser.parse_args(arguments)
    try:
        archive = options.archive or build(options.root.resolve(), options.arch)
        write(f"{archive} is build {read_build_id(archive, options.arch)}")
        check(archive, options.arch, options.environment, options.root)
    except PackageError as error:
        write_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def check(archive: Path, arch: str, environment: dict[str, Any], root: Path) -> None:
    """
    Check an archive, and start it if this machine can run its architecture.

    ``environment`` are the environment variables of the functions, in which a value
    may be a CloudFormation function. Raises PackageError.
    """
    write(size_table(archive))
    unzipped, _ = sizes(archive)
    for warning in check_limits(unzipped.total(), archive.stat().st_size):
        write(f"Warning: {warning}")
    with unpacked(archive) as folder:
        # The archive may come from elsewhere, or may have been changed.
        check_secrets(folder)
        check_wheels(folder, arch)
        if runs_here(arch):
            with step("Smoke test"):
                write(f"  {smoke_test(folder, environment, Configuration.read(root))}")
        else:
            write(
                f"Smoke test skipped: this machine is {platform.machine()} and cannot "
                f"run a package for {arch}. All libraries in it are for {arch}."
            )


def runs_here(arch: str) -> bool:
    """Return whether this machine runs Linux libraries for an architecture."""
    _, tag = PLATFORMS[arch]
    return platform.system() == "Linux" and platform.machine() == tag
