"""
Follow the log of a function, until Ctrl-C.

    django-on-lambda logs --stage prod --function tasks
"""

import sys
from collections.abc import Sequence

from ..arguments import add_stage, parser_of
from ..report import (
    DeployError,
    command,
    interrupt_on_signals,
    next_command,
    write_error,
)
from ..run.log import LogPrinter
from .stage import NotFound, Stage


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow a function's log, and return the exit status."""
    parser = parser_of("logs", __doc__)
    add_stage(parser)
    parser.add_argument(
        "--function", default="http", help="its name in serverless.yml (http)"
    )
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    try:
        follow(Stage(options.stage), options.function)
    except KeyboardInterrupt:
        # The usual end.
        return 0
    except DeployError as error:
        again = command("logs", stage=options.stage, function=options.function)
        write_error(f"{error}\nNext: {next_command(error, again)}")
        return 1
    return 0


def follow(stage: Stage, function: str) -> None:
    """Print what a function logs. Raises DeployError if it has no log."""
    if function not in stage.functions:
        names = list(stage.functions)
        raise DeployError(
            f"serverless.yml has no function {function}, but {', '.join(names)}.",
            advice=command("logs", stage=stage.name, function=names[0]),
        )
    stage.stack()
    group = f"/aws/lambda/{stage.functions[function]}"
    again = command("logs", stage=stage.name, function=function)
    try:
        streams = stage.call(
            "logs", "describe_log_streams", logGroupName=group, limit=1
        )["logStreams"]
    except NotFound as error:
        raise NotFound(
            f"There is no log group {group}.",
            advice=f"create it with: {command('deploy', stage=stage.name)}, then run: "
            f"{again}",
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
