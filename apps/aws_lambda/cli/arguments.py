"""The command lines of the commands: each describes itself and its options."""

import argparse
from collections.abc import Sequence
from inspect import cleandoc
from pathlib import Path

from .report import command


def parser_of(command: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command; ``description`` is the text of its module."""
    return argparse.ArgumentParser(
        prog=f"django-on-lambda {command}",
        description=cleandoc(description or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_stage(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the options of the commands that call AWS."""
    parser.add_argument(
        "--stage", required=required, help="the deployment, such as dev or prod"
    )
    parser.add_argument(
        "--region",
        default="",
        help="the region of AWS, instead of that in serverless.yml",
    )


def stage_command(
    name: str,
    stage: str,
    region: str = "",
    arguments: Sequence[str] = (),
    **options: object,
) -> str:
    """Return the command line of a command for a stage, to print."""
    where = {"region": region} if region else {}
    return command(name, arguments, stage=stage, **where, **options)


def add_root(parser: argparse.ArgumentParser, default: Path) -> None:
    """Add the option of the commands that work on the files of a site."""
    parser.add_argument(
        "--root", type=Path, default=default, help="the site's folder (this one)"
    )
