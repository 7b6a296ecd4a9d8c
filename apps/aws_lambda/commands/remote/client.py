"""Run a command on the manage function, and show its output while it runs."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from threading import Thread
from typing import Any, NamedTuple
from uuid import uuid4

from ...aws.limits import MAX_INVOCATION_SECONDS
from .errors import RemoteError, Target, aws_error, function_error

# Lambda may respond some seconds after the function's timeout.
READ_TIMEOUT_SECONDS = MAX_INVOCATION_SECONDS + 30
# The quota of FilterLogEvents is at least five calls per second and account.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
POLL_SECONDS = 1.0
# By how much the clock of this machine may be ahead of CloudWatch's.
CLOCK_SKEW_SECONDS = 300

Write = Callable[[str], None]


class RemoteResult(NamedTuple):
    """What the manage function returned: see ``commands.manage.serve``."""

    exit_code: int
    output: str
    lines: int


def call(
    target: Target,
    argv: list[str],
    *,
    write: Write,
    notify: Write,
    password_hash: str = "",
    region: str | None = None,
    profile: str | None = None,
) -> int:
    """
    Run a command on the manage function, and return its exit code.

    ``write`` gets each line of the command's output, as soon as the log has it, and
    ``notify`` gets messages about the run. Without ``region`` and ``profile``, boto3's
    configuration applies.

    Raises RemoteError if there is no result. A KeyboardInterrupt does not stop the
    command: ``notify`` gets the state of the run, and the exception is raised again.
    """
    functions, logs, region = make_clients(target, region, profile)
    token = uuid4().hex
    event: dict[str, Any] = {"argv": argv, "token": token}
    if password_hash:
        event["password_hash"] = password_hash

    def log_command(option: str) -> str:
        return (
            f"aws logs tail {target.log_group} {option} "
            f"--filter-pattern '\"{token}\"' --region {region}"
            + (f" --profile {profile}" if profile else "")
        )

    follower = LogFollower(
        logs, target.log_group, token, log_command("--since 1h"), write, notify
    )
    response = in_background(lambda: invoke(functions, target, event))
    try:
        while not wait([response], POLL_SECONDS).done:
            follower.show_new_lines()
    except KeyboardInterrupt:
        notify(
            f"The command is still running on {target}. To follow its output, run:\n"
            f"  {log_command('--follow')}\n"
            "Until it ends, a second run of the same command is refused."
        )
        raise
    result = read_result(response, target, region)
    try:
        follower.show_rest(result)
    except KeyboardInterrupt:
        notify(
            f"The command ended on {target} with exit code {result.exit_code}. To "
            f"read its output, run:\n  {log_command('--since 1h')}"
        )
        raise
    return result.exit_code


def make_clients(
    target: Target, region: str | None, profile: str | None
) -> tuple[Any, Any, str]:
    """Return boto3's clients for Lambda and the log, and the region."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise RemoteError(
            "manage.py remote needs boto3, and boto3 is not installed. "
            "Run: pip install boto3"
        ) from None

    try:
        # boto3 itself reads AWS_DEFAULT_REGION only.
        region = region or os.environ.get("AWS_REGION")
        session = boto3.Session(region_name=region, profile_name=profile)
        if not session.region_name:
            raise RemoteError(
                "No AWS region is configured. Pass --region, or set AWS_DEFAULT_REGION."
            )
        functions = session.client(
            "lambda",
            config=Config(
                connect_timeout=10,
                read_timeout=READ_TIMEOUT_SECONDS,
                # A retry would run the command again.
                retries={"total_max_attempts": 1},
                tcp_keepalive=True,
            ),
        )
        # The result has the lines that the log does not deliver in time.
        quick = Config(
            connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}
        )
        return functions, session.client("logs", config=quick), session.region_name
    except (BotoCoreError, ClientError, ValueError) as error:
        raise aws_error(error, target, region) from error


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
    response: "Future[tuple[bytes, bool]]", target: Target, region: str
) -> RemoteResult:
    """Return the function's result. Raises RemoteError if there is none."""
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
        raise aws_error(error, target, region) from error
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(
            f"{target} did not return the result of a command. Check --function-name "
            "and LAMBDA_MANAGE_FUNCTION: it must be a manage function."
        ) from error


@dataclass
class LogFollower:
    """
    Write each line of one run, once and in order, while CloudWatch receives them.

    Lines have the run's token and a number. They may arrive late and out of order;
    one that arrives before its predecessor waits for it. What the log has not
    delivered when the command ends is in its result, except for the first lines of an
    output that is larger than Lambda's response.
    """

    logs: Any
    log_group: str
    token: str
    log_command: str
    write: Write
    notify: Write
    written: int = 0
    _readable: bool = True
    # Timestamps and lines that have been read and not been written, by number.
    _waiting: dict[int, tuple[int, str]] = field(default_factory=dict)
    _since_ms: int = field(
        default_factory=lambda: int((time.time() - CLOCK_SKEW_SECONDS) * 1000)
    )

    def show_new_lines(self) -> None:
        """Write what the log has. If it cannot be read, notify once and give up."""
        if not self._readable:
            return
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            pages = self.logs.get_paginator("filter_log_events").paginate(
                logGroupName=self.log_group,
                startTime=self._since_ms,
                filterPattern=f'"{self.token}"',
            )
            for page in pages:
                self._write_lines(page["events"])
        except (BotoCoreError, ClientError) as error:
            name = type(error).__name__
            if isinstance(error, ClientError):
                name = error.response["Error"]["Code"]
            # The first line of a function's log creates its group.
            if name == "ResourceNotFoundException":
                return
            self._readable = False
            self.notify(
                f"Cannot read the log group {self.log_group} ({name}): the output is "
                "shown when the command ends. Your role needs logs:FilterLogEvents, "
                "see docs/commands.md."
            )

    def show_rest(self, result: RemoteResult) -> None:
        """Write the lines that are not written yet; notify if some are missing."""
        kept = result.output.split("\n") if result.lines else []
        first = result.lines - len(kept) + 1
        if self.written + 1 < first:
            self.notify(
                f"Lines {self.written + 1:,} to {first - 1:,} of {result.lines:,} did "
                "not fit into Lambda's response and are only in the log group "
                f"{self.log_group}. To read the whole output, run:\n"
                f"  {self.log_command}"
            )
        for line in kept[max(self.written + 1 - first, 0) :]:
            self.write(line)

    def _write_lines(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            try:
                entry = json.loads(event["message"])
                number, line = entry["line"], entry["message"]
            except (ValueError, KeyError, TypeError):
                continue
            # The filter pattern matches the token anywhere in an event.
            if entry.get("run") == self.token:
                self._waiting[number] = (event["timestamp"], line)
        while self.written + 1 in self._waiting:
            self._since_ms, line = self._waiting.pop(self.written + 1)
            self.written += 1
            self.write(line)
