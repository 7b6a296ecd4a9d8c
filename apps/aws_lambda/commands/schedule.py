"""The schedule function: management commands that EventBridge Scheduler runs."""

import json
import logging
import os
import time
from typing import Any

from .. import conf
from ..events import UnsupportedEvent, refusal
from ..invocation import Invocation
from .output import Output
from .runner import Outcome, run

logger = logging.getLogger(__name__)

# Of this function only: the command lines of `custom.schedules`, as a JSON list.
VARIABLE = "LAMBDA_SCHEDULES"
EXAMPLE = '{"command": "clearsessions", "args": []}'


class ScheduleFailed(Exception):
    """A scheduled command failed. The text names the command and its exit code only."""


def serve(invocation: Invocation) -> None:
    """
    Run the command in the fixed input of a schedule.

    The event is ``{"command": "clearsessions", "args": []}``. LAMBDA_SCHEDULED_COMMANDS
    or the deployment's schedules must have this command line, arguments included: a
    caller can run no other.
    Django's system checks are skipped: a release has run them.

    Raises ScheduleFailed if the command fails, so that Lambda counts an error, but not
    if the run is skipped because the previous one is still in progress. Raises
    UnsupportedEvent for any other event.
    """
    argv = read(invocation.event)
    name = argv[0]
    start = time.perf_counter()
    result = run(argv, Output(command=name), skip_checks=True)
    duration_ms = round((time.perf_counter() - start) * 1000, 1)
    logger.log(
        logging.ERROR if result.outcome is Outcome.FAILED else logging.INFO,
        "The scheduled %s %s",
        name,
        result.summary,
        extra={
            "command": name,
            "exit_code": result.exit_code,
            "duration_ms": duration_ms,
            "metrics": {
                "ScheduleSucceeded": int(result.outcome is Outcome.SUCCEEDED),
                "ScheduleFailed": int(result.outcome is Outcome.FAILED),
                "ScheduleSkipped": int(result.outcome is Outcome.SKIPPED),
                "ScheduleDuration": (duration_ms, "Milliseconds"),
            },
        },
    )
    if result.outcome is Outcome.FAILED:
        raise ScheduleFailed(
            f"{name} failed with exit code {result.exit_code}: see the log of this "
            "request."
        )


def read(event: Any) -> list[str]:
    """Return the command line, if the settings allow it. Raises UnsupportedEvent."""
    fields = event if isinstance(event, dict) else {}
    if "detail-type" in fields:
        raise UnsupportedEvent(
            "This is EventBridge's own event, which names no command. Give the "
            f"target of the schedule a fixed input: {EXAMPLE}."
        )
    command, arguments = fields.get("command"), fields.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        raise refusal(event, "schedule", f"commands such as {EXAMPLE}")
    argv = [command, *arguments]
    if argv not in allowed():
        raise UnsupportedEvent(
            "This command line is not allowed. To allow it, add it, arguments "
            "included, to custom.schedules in serverless.yml or to the setting "
            "LAMBDA_SCHEDULED_COMMANDS, and deploy."
        )
    return argv


def allowed() -> list[list[str]]:
    """Return the command lines of the setting and of the deployment's schedules."""
    # The setting may have tuples; JSON has none.
    lines = [list(line) for line in conf.get("LAMBDA_SCHEDULED_COMMANDS")]
    own: list[list[str]] = json.loads(os.environ.get(VARIABLE, "[]"))
    return [*lines, *own]
