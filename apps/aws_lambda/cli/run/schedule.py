"""
Run a schedule of the stage now, in the site that `run` serves.

    django-on-lambda schedule [clearsessions] [--lambda-port 3002]

Without a name it lists the schedules. EventBridge Scheduler is not part of the local
AWS: most schedules are for the night, when no developer waits for one.
"""

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import ROOT
from ..arguments import parser_of
from ..configuration import Configuration, ConfigurationError
from ..lambda_service import FunctionError
from ..report import command, has_target
from .invoke import invoke

# In the folder of what `run` keeps: what the stage has, as the Serverless CLI wrote it.
STAGE_FILE = "stage.json"


class ScheduleError(Exception):
    """Nothing was run, or it failed; the message has the reason and the fix."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the schedule with this command, or list them; return the exit status."""
    parser = parser_of("schedule", __doc__)
    parser.add_argument(
        "name", nargs="?", default="", help="the command; without it, list them"
    )
    parser.add_argument(
        "--lambda-port", type=int, default=3002, help="that of `run` (3002)"
    )
    parser.add_argument(
        "--state", type=Path, default=ROOT / ".run", help="the folder of `run` (.run)"
    )
    options = parser.parse_args(arguments)
    try:
        # There is a site.
        Configuration.read()
        schedules = read(options.state / STAGE_FILE)
        if options.name:
            run(find(schedules, options.name), options.lambda_port)
        else:
            print("\n".join(listing(schedules)))
    except (ConfigurationError, ScheduleError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def read(path: Path) -> list[dict[str, Any]]:
    """Return the schedules of the stage that is served, or was served last."""
    try:
        schedules: list[dict[str, Any]] = json.loads(path.read_text())["schedules"]
    except FileNotFoundError:
        raise ScheduleError(
            f"{path} does not exist, which `{command('run')}` writes. Start that in "
            "another terminal."
        ) from None
    return schedules


def command_line(schedule: dict[str, Any]) -> str:
    """Return the command that a schedule runs, or its ID if its input has none."""
    try:
        given = json.loads(schedule["input"])
        return shlex.join([given["command"], *given.get("args", [])])
    except (KeyError, TypeError, ValueError):
        return str(schedule["id"])


def listing(schedules: list[dict[str, Any]]) -> list[str]:
    if not schedules:
        return ["serverless.yml has no schedules (docs/commands.md#schedules)."]
    width = max(len(command_line(schedule)) for schedule in schedules)
    return [
        f"{command_line(schedule):{width}}  {schedule['expression']}"
        for schedule in schedules
    ]


def find(schedules: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return the schedule with a command line, a command, or an ID."""
    for schedule in schedules:
        line = command_line(schedule)
        if name in (line, line.partition(" ")[0], schedule["id"]):
            return schedule
    found = ", ".join(map(command_line, schedules)) or "no schedules"
    raise ScheduleError(
        f"serverless.yml has no schedule for {name}. It has: {found}. A new one is "
        f"known when `{command('run')}` has started again."
    )


def run(schedule: dict[str, Any], lambda_port: int) -> None:
    """Invoke the function with the input of the schedule, as EventBridge would."""
    line, function = command_line(schedule), schedule["function"]
    if not function:
        raise ScheduleError(
            f"The schedule {schedule['id']} has a target that is not a function of "
            "serverless.yml, and cannot be run here."
        )
    print(f"{function} runs {line}", flush=True)
    try:
        result = invoke(lambda_port, function, json.loads(schedule["input"]))
    except FunctionError as error:
        if error.type == "Unreachable":
            port = f"LAMBDA_PORT={lambda_port + 10}"
            if not has_target("schedule"):
                port = f"--lambda-port {lambda_port + 10}"
            raise ScheduleError(
                f"Nothing answers on port {lambda_port}: start `{command('run')}` in "
                f"another terminal. If it has another port, name it here too: {port}"
            ) from None
        raise ScheduleError(
            f"{error}\nThe output of the command is in the log of `{command('run')}`."
        ) from None
    ended = "It succeeded." if result is None else f"It returned {json.dumps(result)}."
    print(f"{ended} The output of the command is in the log of `{command('run')}`.")
