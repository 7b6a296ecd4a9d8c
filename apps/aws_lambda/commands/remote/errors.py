"""The errors of a remote command: what is wrong, and what to do about it."""

import re
from typing import Any, NamedTuple

from .access import Barrier, barrier, status_of
from .region import Region

# What a release has put into service: $LATEST may have failed, or been rolled back.
LIVE = "live"
# The exit code of lambda_database_password if the server rejects the login.
LOGIN_REJECTED = 10
# What precedes the name in a partial or complete ARN. A version may follow it.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
ARN_PREFIX = re.compile(r"^(.*?:)?function:")


class RemoteError(Exception):
    """
    The command did not run, or its result is unknown.

    The text is for the operator: what is wrong, and the next step. ``barrier`` is set
    if AWS cannot be asked from this machine at all.
    """

    barrier: Barrier | None = None


class ConnectionLost(RemoteError):
    """Lambda's response did not arrive. The command may still be running."""


class Target(NamedTuple):
    """
    The function to invoke, and which version or alias of it.

    ``name`` is a function name, a partial ARN or an ARN.
    """

    name: str
    qualifier: str | None = None

    @classmethod
    def of(cls, name: str, qualifier: str | None) -> "Target":
        """Return the target: by default the live version, unless the name has one."""
        return cls(name, qualifier or (None if qualifier_of(name) else LIVE))

    @property
    def log_group(self) -> str:
        name, _, _ = ARN_PREFIX.sub("", self.name).partition(":")
        return f"/aws/lambda/{name}"

    def __str__(self) -> str:
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name


def qualifier_of(name: str) -> str:
    """Return the version or alias in a function name or ARN, or ""."""
    return ARN_PREFIX.sub("", name).partition(":")[2]


# By error code: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
ERRORS = {
    "ResourceNotFoundException": (
        "There is no function {target} in {region.name}. {origin} Ask another region "
        "with --region {region.another}, check --stage and --function-name, or deploy "
        "the stage first: docs/deploy.md."
    ),
    "AccessDeniedException": (
        "AWS does not allow you to invoke {target}: your role needs "
        "lambda:InvokeFunction on it. The policy is in docs/commands.md."
    ),
    "TooManyRequestsException": (
        "{target} was throttled: the function or the account has reached its "
        "concurrency limit. The command did not run. Run it again in a minute."
    ),
    "ResourceConflictException": (
        "{target} is being created or updated. The command did not run. Run it again "
        "in a minute."
    ),
}


def aws_error(
    error: Exception, target: Target, region: Region, profile: str = ""
) -> RemoteError:
    """Return the error for an exception of boto3."""
    from botocore import exceptions

    from .responses import ForeignResponse

    name = type(error).__name__
    if isinstance(
        error, exceptions.ReadTimeoutError | exceptions.ConnectionClosedError
    ):
        return ConnectionLost(
            f"The connection to Lambda was lost before {target} returned a result. "
            f"The command may still be running: see the log group {target.log_group}."
        )
    found = barrier(error, profile)
    if isinstance(error, ForeignResponse) or _is_unclear(error):
        reason = found or Barrier(f"{error}.", "wait a minute")
        lost = ConnectionLost(
            f"{reason.reason} The command may be running on {target}: see the log "
            f"group {target.log_group}. If it is not there, {reason.first}, and run it "
            "again."
        )
        lost.barrier = found
        return lost
    if found:
        refused = RemoteError(
            f"{found.reason} {target} was not invoked. "
            f"{found.first[0].upper()}{found.first[1:]}."
            + ("" if found.answered else f" {region.origin()}")
        )
        refused.barrier = found
        return refused
    if isinstance(error, exceptions.ClientError):
        code = error.response["Error"]["Code"]
        if code in ERRORS:
            sentence = ERRORS[code].format(
                target=target, region=region, origin=region.origin()
            )
            if code == "ResourceNotFoundException" and target.qualifier == LIVE:
                sentence += (
                    f" If {target.name} exists without an alias {LIVE}, pass "
                    "--qualifier '$LATEST'."
                )
            return RemoteError(sentence)
        return RemoteError(f"Lambda refused to invoke {target}: {error}")
    # An invalid configuration file, an invalid name of a region...
    return RemoteError(f"Cannot invoke {target} ({name}): {error}")


def _is_unclear(error: Exception) -> bool:
    """Return whether a proxy or Lambda itself has failed. Other errors are refusals."""
    if status_of(error) < 500:
        return False
    code = str(getattr(error, "response", {})["Error"]["Code"])
    return code.isdigit() or code == "ServiceException"


def function_error(payload: Any, target: Target) -> RemoteError:
    """Return the error for the payload of a failed invocation."""
    fields = payload if isinstance(payload, dict) else {}
    error_type = str(fields.get("errorType", "unknown error"))
    message = str(fields.get("errorMessage", ""))
    log = f"See the log group {target.log_group}."
    if error_type == "Sandbox.Timedout" or "timed out" in message:
        return RemoteError(
            f"{target} reached its Lambda timeout and was killed. Its open "
            f"transaction was rolled back. {log}"
        )
    if error_type == "Runtime.OutOfMemory" or "signal: killed" in message:
        return RemoteError(
            f"{target} was killed, probably because it ran out of memory: increase "
            f"its memorySize. {log}"
        )
    if error_type in (
        "InitError",
        "Runtime.ImportModuleError",
        "Runtime.HandlerNotFound",
    ):
        return RemoteError(
            f"{target} failed to start, so the command did not run: {message} {log}"
        )
    return RemoteError(f"{target} failed ({error_type}): {message} {log}")
