"""
Follow the log of a function until Ctrl-C, or find a request in the logs of all.

    django-on-lambda logs --stage prod --function tasks
    django-on-lambda logs --stage prod --request 2f5c2a6e-6f6b-4f0e-9d5e-0b7a1f9f3c11
"""

import argparse
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..arguments import add_stage, parser_of, stage_command
from ..report import (
    DeployError,
    interrupt_on_signals,
    next_command,
    write_error,
)
from ..run.log import LogPrinter
from .errors import NotFound, errors_of_aws
from .stage import Stage

# Of requests, tasks and traces. It becomes a part of CloudWatch's filter pattern.
IDENTIFIER = re.compile(r"[\w=.:/+-]+", re.ASCII)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what functions log, and return the exit status."""
    parser = parser_of("logs", __doc__)
    add_stage(parser)
    parser.add_argument(
        "--function", default="http", help="its name in serverless.yml (http)"
    )
    parser.add_argument(
        "--request",
        type=identifier,
        metavar="ID",
        help="print each line of any function that has this ID of a request, task or "
        "trace, instead of following a log",
    )
    parser.add_argument(
        "--hours", type=float, default=24, help="how far back to look for it (24)"
    )
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    try:
        stage = Stage(options.stage, region=options.region)
        if options.request:
            find(stage, options.request, options.hours)
        else:
            follow(stage, options.function)
    except KeyboardInterrupt:
        # The usual end.
        return 0
    except DeployError as error:
        what = (
            {"request": options.request}
            if options.request
            else {"function": options.function}
        )
        again = stage_command("logs", options.stage, options.region, **what)
        write_error(f"{error}\nNext: {next_command(error, again)}")
        return 1
    return 0


def identifier(text: str) -> str:
    if not IDENTIFIER.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not the ID of a request, a task or a trace"
        )
    return text


def find(stage: Stage, request: str, hours: float) -> None:
    """
    Print the lines of the last hours that have an ID, of all functions by time.

    Raises DeployError if no line has it.
    """
    stage.stack()
    since_ms = int((time.time() - hours * 3600) * 1000)
    found = [
        event
        for function in stage.functions.values()
        for event in events(stage, f"/aws/lambda/{function}", request, since_ms)
    ]
    printer = LogPrinter(sys.stdout, stage=stage.name, utc=True)
    for _, line in sorted(found, key=lambda event: event[0]):
        printer.write(f"{line.rstrip()}\n")
    if not found:
        raise DeployError(
            f"No function of {stage.stack_name} has logged {request} in the last "
            f"{hours:g} hours.",
            advice=f"check the ID, or run: {stage.command('logs')}",
        )


def events(
    stage: Stage, group: str, text: str, since_ms: int
) -> Iterator[tuple[int, str]]:
    """Yield the time, in ms, and the text of each line of a log group with a text."""
    # A function that has logged nothing may have no group.
    with suppress(NotFound), errors_of_aws("logs filter_log_events"):
        for page in (
            stage.client("logs")
            .get_paginator("filter_log_events")
            .paginate(logGroupName=group, startTime=since_ms, filterPattern=f'"{text}"')
        ):
            for event in page["events"]:
                yield event["timestamp"], event["message"]


def follow(stage: Stage, function: str) -> None:
    """Print what a function logs. Raises DeployError if it has no log."""
    if function not in stage.functions:
        names = list(stage.functions)
        raise DeployError(
            f"serverless.yml has no function {function}, but {', '.join(names)}.",
            advice=stage.command("logs", function=names[0]),
        )
    stage.stack()
    group = f"/aws/lambda/{stage.functions[function]}"
    again = stage.command("logs", function=function)
    try:
        streams = stage.call(
            "logs", "describe_log_streams", logGroupName=group, limit=1
        )["logStreams"]
    except NotFound as error:
        raise NotFound(
            f"There is no log group {group}.",
            advice=f"create it with: {stage.command('deploy')}, then run: {again}",
        ) from error
    if not streams:
        raise DeployError(
            f"{stage.functions[function]} has not logged anything yet.",
            advice=f"invoke it, then run: {again}",
        )
    printer = LogPrinter(sys.stdout, stage=stage.name, utc=True)
    # Without a start time the log begins ten seconds ago.
    options = ["--function", function, "--tail", "--startTime", "10m"]
    stage.serverless("logs", *options, write=printer.write)
