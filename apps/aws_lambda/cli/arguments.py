"""The command lines of the commands: each describes itself and its options."""

import argparse
from inspect import cleandoc
from pathlib import Path


def parser_of(command: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command; ``description`` is the text of its module."""
    return argparse.ArgumentParser(
        prog=f"django-on-lambda {command}",
        description=cleandoc(description or ""),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_stage(parser: argparse.ArgumentParser) -> None:
    """Add the option of the commands that call AWS."""
    parser.add_argument(
        "--stage", required=True, help="the deployment, such as dev or prod"
    )


def add_root(parser: argparse.ArgumentParser, default: Path) -> None:
    """Add the option of the commands that work on the files of a site."""
    parser.add_argument(
        "--root", type=Path, default=default, help="the site's folder (this one)"
    )
