"""
Replace a secret of a stage.

    django-on-lambda rotate secret-key --stage prod
    django-on-lambda rotate database-password --stage prod

Each step can be repeated, so after an interruption run the same command again.
"""

import argparse
import time
from collections.abc import Sequence
from datetime import timedelta

from ..arguments import add_stage, parser_of, stage_command
from ..release import manage
from ..release.deploy import parameter
from ..release.lock import StageLock
from ..release.progress import Versions
from ..release.release import release
from ..release.stage import Stage
from ..release.state import check_ready, report_failure
from ..report import DeployError, interrupt_on_signals, step
from . import database_password, secret_key

# Django's SESSION_COOKIE_AGE.
KEEP_DAYS = 14
# Of a function for which serverless.yml has no timeout.
DEFAULT_TIMEOUT_SECONDS = 6


def main(arguments: Sequence[str] | None = None) -> int:
    """Replace a secret of a stage, and return the exit status."""
    parser = parser_of("rotate", __doc__)
    parser.add_argument(
        "kind", choices=["secret-key", "database-password"], help="what to replace"
    )
    add_stage(parser)
    parser.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        type=parameter,
        help="a parameter of the release, instead of that in serverless.yml",
    )
    parser.add_argument(
        "--variable",
        default="",
        metavar="NAME",
        help="the variable in provider.environment of serverless.yml that has the "
        "secret, if not SECRET_KEY or DATABASE_URL",
    )
    parser.add_argument(
        "--keep-days",
        type=int,
        default=KEEP_DAYS,
        metavar="DAYS",
        help="how long what the former key has signed must stay valid: the age of "
        "sessions (default: 14, as SESSION_COOKIE_AGE)",
    )
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    stage = None
    try:
        with step(f"Inspect stage {options.stage}"):
            stage = Stage(options.stage, dict(options.param), options.region)
            stage.stack()
        with StageLock(stage, "rotate") as lock:
            rotate(stage, lock, options)
    except (DeployError, KeyboardInterrupt) as error:
        report_failure(error, stage, Versions(), same_command(options))
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    return 0


def rotate(stage: Stage, lock: StageLock, options: argparse.Namespace) -> None:
    """Replace the secret. Raises DeployError."""
    if options.kind == "database-password":
        database_password.rotate(
            stage,
            lambda argv: manage.run(stage, argv),
            options.variable or database_password.VARIABLE,
        )
    else:
        secret_key.rotate(
            stage,
            lambda: release_again(stage, lock),
            lambda: wait_for_old_environments(stage),
            timedelta(days=options.keep_days),
            options.variable or secret_key.VARIABLE,
        )


def release_again(stage: Stage, lock: StageLock) -> None:
    """
    Release this folder, so that new environments read the parameters.

    A parameter that has changed publishes new versions. Raises DeployError.
    """
    release(stage, check_ready(stage), lock)


def wait_for_old_environments(stage: Stage) -> None:
    """Wait as long as a function may run: then every old environment has ended."""
    seconds = max(
        int(function.get("timeout", DEFAULT_TIMEOUT_SECONDS))
        for function in stage.configuration["functions"].values()
    )
    with step(f"Wait {seconds} s, until no older environment serves a request"):
        time.sleep(seconds)


def same_command(options: argparse.Namespace) -> str:
    """Return the command line for these options."""
    others = [options.kind]
    if options.variable:
        others += ["--variable", options.variable]
    if options.keep_days != KEEP_DAYS:
        others += ["--keep-days", str(options.keep_days)]
    others += [f"--param={name}={value}" for name, value in options.param]
    return stage_command("rotate", options.stage, options.region, others)
