"""The options of adopt."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from ..arguments import add_root, parser_of
from .plan import EVENT_SOURCES


def parse(
    description: str | None, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """Return the options. Ends the program if they are wrong."""
    parser = parser_of("adopt", description)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--dry-run", action="store_true", help="show everything, change nothing"
    )
    what.add_argument(
        "--diff",
        action="store_true",
        help="merge what this version writes into the site's files",
    )
    what.add_argument("--undo", action="store_true", help="remove what was written")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--check",
        action="store_true",
        help="afterwards: start the site as Lambda does, and request pages",
    )
    parser.add_argument(
        "--crawl", action="store_true", help="afterwards: --check with all pages"
    )
    parser.add_argument(
        "--force", action="store_true", help="with --undo: remove edited files, too"
    )
    parser.add_argument(
        "--production",
        metavar="MODULE",
        help="the settings module of production, instead of the one that is found",
    )
    parser.add_argument(
        "--service", metavar="NAME", help="the service's name in serverless.yml"
    )
    parser.add_argument(
        "--event-source",
        choices=EVENT_SOURCES,
        help="what invokes the site (http-api); docs/event-sources.md compares them",
    )
    parser.add_argument(
        "--stand-in",
        action="append",
        default=[],
        type=stand_in,
        metavar="NAME=VALUE",
        help="a value for an environment variable, for this machine only",
    )
    add_root(parser, Path())
    options = parser.parse_args(arguments)
    if options.force and not options.undo:
        parser.error("--force is for --undo")
    options.check |= options.crawl
    if options.check and (options.dry_run or options.undo):
        parser.error("--check and --crawl start the site with the written files")
    if options.service and not re.fullmatch(r"[a-z][a-z0-9-]{0,29}", options.service):
        parser.error(
            f"--service {options.service}: use up to 30 lower-case letters, digits and "
            "hyphens, a letter first"
        )
    return options


def stand_in(text: str) -> tuple[str, str]:
    """Return name and value. Raises ArgumentTypeError."""
    name, equals, value = text.partition("=")
    if not (name.isidentifier() and equals):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=VALUE")
    return name, value
