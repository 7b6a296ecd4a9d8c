"""
Release this folder to a stage.

    django-on-lambda deploy --stage prod

It builds and tests the package, deploys it beside the live versions, checks their
health, and shifts the traffic.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack

from ..arguments import add_stage, parser_of, stage_command
from ..report import DeployError, interrupt_on_signals, step
from .lock import StageLock
from .progress import Versions
from .release import release
from .stage import Stage
from .state import check_ready, report_failure


def main(arguments: Sequence[str] | None = None) -> int:
    """Release this folder to a stage, and return the exit status."""
    parser = parser_of("deploy", __doc__)
    add_stage(parser)
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=parameter,
        help="the value of ${param:NAME} in serverless.yml, for this release",
    )
    parser.add_argument(
        "--at-once",
        action="store_true",
        help="shift all traffic at once, regardless of trafficShift",
    )
    parser.add_argument(
        "--url", help="where to check the site, if not at the stage's own URL"
    )
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    stage, live = None, Versions()
    try:
        with ExitStack() as held:
            with step(f"Inspect stage {options.stage}"):
                stage = Stage(options.stage, dict(options.param), options.region)
                lock = held.enter_context(StageLock(stage, "deploy"))
                live = check_ready(stage)
            release(stage, live, lock, url=options.url, at_once=options.at_once)
    except (DeployError, KeyboardInterrupt) as error:
        report_failure(error, stage, live, same_command(options))
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text}")
    return name, value


def same_command(options: argparse.Namespace) -> str:
    """Return the command line for these options."""
    others = [f"--param={name}={value}" for name, value in options.param]
    others += ["--at-once"] if options.at_once else []
    others += ["--url", options.url] if options.url else []
    return stage_command("deploy", options.stage, options.region, others)
