"""The schedule function: management commands that EventBridge runs by the clock."""

import logging
import time
from typing import Any

from .. import conf
from ..events import UnsupportedEvent, refusal
from ..invocation import Invocation
from .output import Output
from .runner import Ended, run

logger = logging.getLogger(__name__)

EXPECTED = '{"command": "clearsessions", "args": []}'


class ScheduleFailed(Exception):
    """A scheduled command failed. The log says how; this text may be shown."""


def serve(invocation: Invocation) -> None:
    """
    Run the command in a schedule's fixed input.

    The event is ``{"command": "clearsessions", "args": []}``, and has to be one of
    LAMBDA_SCHEDULED_COMMANDS, arguments included: whoever can invoke the function
    can run those and nothing else.

    A failure raises ScheduleFailed, so that Lambda counts an error and alarms see
    it. A run that finds the one before it still at work is skipped, which is no
    failure. Raises UnsupportedEvent for any other event.
    """
    argv = read(invocation.event)
    start = time.perf_counter()
    ended = run(argv, Output(command=argv[0]))
    report(argv[0], ended, (time.perf_counter() - start) * 1000)
    if ended.exit_code and not ended.skipped:
        raise ScheduleFailed(
            f"{argv[0]} failed with exit code {ended.exit_code}: see the log "
            "of this request."
        )


def read(event: Any) -> list[str]:
    """Return the command line, which the settings allow. Raises UnsupportedEvent."""
    given = event if isinstance(event, dict) else {}
    if "detail-type" in given:
        raise UnsupportedEvent(
            "This is EventBridge's own event, which names no command. Give the "
            f"target of the schedule a fixed input: {EXPECTED}."
        )
    command, arguments = given.get("command"), given.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        raise refusal(event, "schedule", f"commands such as {EXPECTED}")
    argv = [command, *arguments]
    # A setting may hold tuples, and JSON never does.
    if argv not in [list(line) for line in conf.get("LAMBDA_SCHEDULED_COMMANDS")]:
        raise UnsupportedEvent(
            "This command line may not be scheduled: add it, arguments included, to "
            "LAMBDA_SCHEDULED_COMMANDS."
        )
    return argv


def report(command: str, ended: Ended, duration: float) -> None:
    """Log what became of a run, with its metrics."""
    if ended.skipped:
        outcome = "Skipped"
        how = "was skipped: the run before it is still in progress"
    elif ended.out_of_time:
        outcome, how = "Failed", "failed: its time was up"
    elif ended.exit_code:
        outcome, how = "Failed", f"failed with exit code {ended.exit_code}"
    else:
        outcome, how = "Succeeded", "succeeded"
    logger.log(
        logging.ERROR if outcome == "Failed" else logging.INFO,
        "The scheduled %s %s",
        command,
        how,
        extra={
            "command": command,
            "exit_code": ended.exit_code,
            "duration_ms": round(duration, 1),
            "metrics": {
                "ScheduleSucceeded": int(outcome == "Succeeded"),
                "ScheduleFailed": int(outcome == "Failed"),
                "ScheduleSkipped": int(outcome == "Skipped"),
                "ScheduleDuration": (round(duration, 1), "Milliseconds"),
            },
        },
    )
