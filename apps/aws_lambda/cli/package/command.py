"""
Build the archive that Lambda runs, or check one that was built before.

    django-on-lambda package [--arch x86_64] [--environment '{"STAGE": "prod"}']
        [--archive dist/lambda-x86_64.zip]
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from platform import machine
from typing import Any

from .. import ROOT
from ..arguments import add_root, parser_of
from ..configuration import Configuration, ConfigurationError
from ..report import step, write, write_error
from ..site import SiteError, find_python
from . import PackageError
from .archive import read_manifest
from .build import build
from .bundle import check_bundle
from .dependencies import check_wheels
from .platform import ARCHITECTURES, Platform, interpreter, runtime_python
from .runtime import unpacked
from .secrets import check_secrets
from .sizes import check_limits, size_table, sizes
from .smoke import smoke_test


def main(arguments: Sequence[str] | None = None) -> int:
    """Build an archive unless one is given, check it, and return the exit status."""
    parser = parser_of("package", __doc__)
    parser.add_argument(
        "--arch",
        choices=ARCHITECTURES,
        default="arm64",
        help="the architecture of the functions (arm64)",
    )
    parser.add_argument(
        "--environment",
        type=variables,
        default={},
        metavar="JSON",
        help="environment variables of the functions, for the smoke test",
    )
    parser.add_argument(
        "--archive", type=Path, help="check this archive, and build none"
    )
    add_root(parser, ROOT)
    options = parser.parse_args(arguments)
    try:
        root = options.root.resolve()
        archive = options.archive or build(root, options.arch)
        platform = Platform(options.arch, runtime_python(root))
        write(f"{archive} is build {read_manifest(archive, platform)['build_id']}")
        check(archive, platform, options.environment, root)
    except (PackageError, ConfigurationError, SiteError) as error:
        write_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def variables(text: str) -> dict[str, Any]:
    """Return an object of JSON. Raises ArgumentTypeError."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError('not an object, such as {"STAGE": "prod"}')
    return found


def check(
    archive: Path, platform: Platform, environment: dict[str, Any], root: Path
) -> None:
    """
    Check an archive, and start it if this machine can run its architecture.

    ``root`` is the site's folder, and ``environment`` are the environment variables of
    the functions, in which a value may be a CloudFormation function. Raises
    PackageError.
    """
    write(size_table(archive))
    unzipped, _ = sizes(archive)
    for warning in check_limits(unzipped, archive.stat().st_size):
        write(f"Warning: {warning}")
    with unpacked(archive) as folder:
        # The archive may come from elsewhere, or may have been changed.
        check_secrets(folder)
        check_wheels(folder, platform.arch)
        check_bundle(folder)
        if platform.runs_here:
            configuration = Configuration.read(root)
            python = interpreter(platform.python, find_python(root))
            with step("Smoke test"):
                tested = smoke_test(folder, environment, configuration, python)
                write(f"  {tested}")
        else:
            write(
                f"Smoke test skipped: this machine is {machine()} and cannot run a "
                f"package for {platform.arch}. All libraries in it are for "
                f"{platform.arch}."
            )
