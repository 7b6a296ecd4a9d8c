"""Run a command on the manage function, as if it were here."""

import json
import os
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from ...aws.limits import MAX_INVOCATION_SECONDS
from .errors import RemoteError, Target, explain, explain_failure
from .following import Follower

# Lambda answers some seconds after the function has ended.
READ_TIMEOUT_SECONDS = MAX_INVOCATION_SECONDS + 30

Write = Callable[[str], None]


def call(
    target: Target,
    argv: list[str],
    *,
    write: Write,
    complain: Write,
    password_hash: str = "",
    region: str | None = None,
    profile: str | None = None,
) -> int:
    """
    Run the command on the manage function, and return its exit code.

    ``write`` is called with each line of its output, as soon as the log has it, and
    ``complain`` with sentences of our own. Both may be called from another thread.
    Region and credentials are found as boto3 finds them, unless they are given.
    Raises RemoteError, and on Ctrl-C KeyboardInterrupt after saying what happens to
    the run.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError:
        raise RemoteError(
            "This needs the package boto3, which is not installed here."
        ) from None

    config = Config(
        connect_timeout=10,
        read_timeout=READ_TIMEOUT_SECONDS,
        # A second attempt would run the command a second time.
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )
    # Nobody waits for a line that the result brings anyway.
    brief = Config(
        connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}
    )
    try:
        # boto3 knows AWS_DEFAULT_REGION alone.
        region = region or os.environ.get("AWS_REGION")
        session = boto3.Session(region_name=region, profile_name=profile)
        if not session.region_name:
            raise RemoteError("Which region? Give --region, or set AWS_DEFAULT_REGION.")
        function = session.client("lambda", config=config)
        logs = session.client("logs", config=brief)
    except (BotoCoreError, ClientError, ValueError) as error:
        raise explain(error, target, region) from error

    token = uuid4().hex
    event: dict[str, Any] = {"argv": argv, "token": token}
    if password_hash:
        event["password_hash"] = password_hash
    # What shows the lines of this run, and of no other.
    tail, pattern = f"aws logs tail {target.log_group}", f"'\"{token}\"'"
    follower = Follower(logs, target.log_group, token, write, complain)
    try:
        response = function.invoke(
            FunctionName=target.name,
            Payload=json.dumps(event).encode(),
            **({"Qualifier": target.qualifier} if target.qualifier else {}),
        )
        answer = response["Payload"].read()
    except (BotoCoreError, ClientError) as error:
        follower.stop()
        raise explain(error, target, session.region_name) from error
    except KeyboardInterrupt:
        follower.stop()
        complain(
            f"The command goes on at {target}, and can only be watched:\n"
            f"  {tail} --follow --filter-pattern {pattern}\n"
            "Until it has ended, the same command is refused, unless it only reads."
        )
        raise
    try:
        payload = json.loads(answer)
        if "FunctionError" in response:
            raise explain_failure(payload, target)
        exit_code = int(payload["exit_code"])
        try:
            follower.finish(payload)
        except KeyboardInterrupt:
            follower.stop()
            complain(
                f"The command has ended at {target} with exit code {exit_code}. Its "
                f"output is in the log:\n"
                f"  {tail} --since 1h --filter-pattern {pattern}"
            )
            raise
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(
            f"{target} answered, but not as a manage function does: is it one?"
        ) from error
    finally:
        follower.stop()
    return exit_code
