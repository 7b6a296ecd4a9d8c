"""Run a command on the manage function, and show its output while it runs."""

import json
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from threading import Thread
from typing import Any
from uuid import uuid4

from .connection import READ_TIMEOUT_SECONDS, make_clients
from .errors import ConnectionLost, RemoteError, Target, aws_error, function_error
from .log import LogFollower, RemoteResult, Write
from .region import Region

# The quota of FilterLogEvents is at least five calls per second and account.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
POLL_SECONDS = 1.0
# How long a line may take to the log after those that follow it.
LATE_SECONDS = 30


def call(
    target: Target,
    argv: list[str],
    *,
    write: Write,
    notify: Write,
    password_hash: str = "",
    region: str | Region | None = None,
    profile: str | None = None,
) -> int:
    """
    Run a command on the manage function, and return its exit code.

    ``write`` gets each line of the command's output, as soon as the log has it, and
    ``notify`` gets messages about the run. Without ``region`` the rule of ``region.py``
    applies, and without ``profile`` boto3's configuration.

    Where the connection to Lambda is lost, the exit code comes from the log.

    Raises RemoteError if there is no result. A KeyboardInterrupt does not stop the
    command: ``notify`` gets the state of the run, and the exception is raised again.
    """
    functions, logs, found = make_clients(target, region, profile)
    deadline = time.monotonic() + READ_TIMEOUT_SECONDS
    token = uuid4().hex
    event: dict[str, Any] = {"argv": argv, "token": token}
    if password_hash:
        event["password_hash"] = password_hash

    def log_command(option: str) -> str:
        return (
            f"aws logs tail {target.log_group} {option} "
            f"--filter-pattern '\"{token}\"' --region {found.name}"
            + (f" --profile {profile}" if profile else "")
        )

    follower = LogFollower(
        logs, target.log_group, token, log_command("--since 1h"), write, notify
    )
    response = in_background(lambda: invoke(functions, target, event))
    try:
        while not wait([response], POLL_SECONDS).done:
            follower.show_new_lines()
        result = read_result(response, target, found, profile or "")
    except ConnectionLost as error:
        notify(f"{error} The log is read until the command ends.")
        end = read_end(follower, deadline)
        if not end:
            raise
        result = end
    except KeyboardInterrupt:
        notify(
            f"The command is still running on {target}. To follow its output, run:\n"
            f"  {log_command('--follow')}\n"
            "Until it ends, a second run of the same command is refused."
        )
        raise
    try:
        follower.show_rest(result)
    except KeyboardInterrupt:
        notify(
            f"The command ended on {target} with exit code {result.exit_code}. To "
            f"read its output, run:\n  {log_command('--since 1h')}"
        )
        raise
    return result.exit_code


def in_background(function: Callable[[], Any]) -> "Future[Any]":
    """Return the future result of a function, for which the process does not wait."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    # ThreadPoolExecutor would make Ctrl-C wait for the function.
    Thread(target=run, daemon=True).start()
    return future


def invoke(functions: Any, target: Target, event: dict[str, Any]) -> tuple[bytes, bool]:
    """Return the payload of Lambda's response, and whether the function failed."""
    response = functions.invoke(
        FunctionName=target.name,
        Payload=json.dumps(event).encode(),
        **({"Qualifier": target.qualifier} if target.qualifier else {}),
    )
    return response["Payload"].read(), "FunctionError" in response


def read_result(
    response: "Future[tuple[bytes, bool]]", target: Target, region: Region, profile: str
) -> RemoteResult:
    """Return the function's result. Raises RemoteError without one."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        payload, failed = response.result()
        result = json.loads(payload)
        if failed:
            raise function_error(result, target)
        return RemoteResult(
            int(result["exit_code"]), str(result["output"]), int(result["lines"])
        )
    except (BotoCoreError, ClientError) as error:
        raise aws_error(error, target, region, profile) from error
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(
            f"{target} did not return the result of a command. Check --function-name "
            "and LAMBDA_MANAGE_FUNCTION: it must be a manage function."
        ) from error


def read_end(follower: LogFollower, deadline: float) -> RemoteResult | None:
    """
    Show new lines of the log until the command has ended, and return its result.

    Return None if the log cannot be read, or has no end at the ``deadline``, a
    time.monotonic().
    """
    while follower.readable and time.monotonic() < deadline:
        ended = follower.end
        follower.show_new_lines()
        if follower.end and follower.written >= follower.end.lines:
            break
        if follower.end and not ended:
            deadline = min(deadline, time.monotonic() + LATE_SECONDS)
        time.sleep(POLL_SECONDS)
    return follower.end
