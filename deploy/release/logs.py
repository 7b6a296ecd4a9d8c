"""Follow the log of a function, until Ctrl-C: `make logs STAGE=prod FUNCTION=tasks`."""

import argparse
import sys

from ..report import Stopped, complain, heed_signals, next_command
from .stage import Stage


def main() -> int:
    """Follow it, and return the exit status."""
    parser = argparse.ArgumentParser(prog="deploy.logs")
    parser.add_argument("--stage", required=True)
    parser.add_argument("--function", default="http")
    options = parser.parse_args()
    heed_signals()
    try:
        follow(Stage(options.stage), options.function)
    except KeyboardInterrupt:
        # That is how one stops to read.
        return 0
    except Stopped as error:
        again = f"make logs STAGE={options.stage} FUNCTION={options.function}"
        complain(f"{error}\nNext: {next_command(error, again)}")
        return 1
    return 0


def follow(stage: Stage, function: str) -> None:
    """Write what the function logs. Raises Stopped if there is nothing to follow."""
    if function not in stage.functions:
        names = list(stage.functions)
        raise Stopped(
            f"serverless.yml has no function {function}. It has {', '.join(names)}.",
            advice=f"make logs STAGE={stage.name} FUNCTION={names[0]}",
        )
    stage.describe()
    streams = stage.ask(
        "logs",
        "describe_log_streams",
        logGroupName=f"/aws/lambda/{stage.functions[function]}",
        limit=1,
    )
    if not streams["logStreams"]:
        raise Stopped(
            f"{stage.functions[function]} has not written anything yet.",
            advice=f"use it, then make logs STAGE={stage.name} FUNCTION={function}",
        )
    # Without a time it begins ten seconds ago, and what one looks for is older.
    stage.serverless("logs", "--function", function, "--tail", "--startTime", "10m")


if __name__ == "__main__":
    sys.exit(main())
