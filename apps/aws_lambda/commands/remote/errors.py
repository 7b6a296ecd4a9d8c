"""One sentence for each way in which a call of the manage function can fail."""

import re
from typing import Any, NamedTuple

# What an ARN, or the end of one, has before the name. Behind it may be a version.
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
BEFORE = re.compile(r"^(.*?:)?function:")


class RemoteError(Exception):
    """The command was not run, or nobody knows; the text says what to do next."""


class Target(NamedTuple):
    """The function that is called. ``name`` is whatever Lambda takes for one."""

    name: str
    qualifier: str | None = None

    @property
    def log_group(self) -> str:
        name, _, _ = BEFORE.sub("", self.name).partition(":")
        return f"/aws/lambda/{name}"

    def __str__(self) -> str:
        return f"{self.name}:{self.qualifier}" if self.qualifier else self.name


# The codes of what AWS answers, https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
REFUSALS = {
    "ResourceNotFoundException": (
        "There is no function {target} in {region}. Look at --stage, --region and "
        "--function-name; a stage is there once it has been deployed."
    ),
    "AccessDeniedException": (
        "You may not invoke {target}. Your role needs lambda:InvokeFunction on it."
    ),
    "TooManyRequestsException": (
        "Lambda is busy: {target} has reached its concurrency, or the account its "
        "own. Nothing was run; try again soon."
    ),
    "ResourceConflictException": (
        "{target} is being changed or is not ready yet. Nothing was run; try again "
        "in a minute."
    ),
}
CREDENTIALS = (
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "UnrecognizedClientException",
)


def explain(error: Exception, target: Target, region: str | None) -> RemoteError:
    """Return what to tell a person of an error that boto3 raised."""
    from botocore import exceptions

    name = type(error).__name__
    if isinstance(error, exceptions.ClientError):
        code = error.response["Error"]["Code"]
        if code in REFUSALS:
            return RemoteError(REFUSALS[code].format(target=target, region=region))
        if code in CREDENTIALS:
            return RemoteError(
                "AWS does not accept these credentials: renew them, or choose others "
                "with --profile."
            )
        return RemoteError(f"Lambda refused the call of {target}: {error}")
    if isinstance(
        error,
        exceptions.NoCredentialsError | exceptions.PartialCredentialsError,
    ):
        return RemoteError(
            "There are no AWS credentials: set AWS_PROFILE, give --profile, or log in."
        )
    if isinstance(
        error, exceptions.ReadTimeoutError | exceptions.ConnectionClosedError
    ):
        return RemoteError(
            f"The connection to Lambda ended before {target} answered. The command "
            f"may still run there: see the log group {target.log_group}."
        )
    if isinstance(error, exceptions.EndpointConnectionError):
        return RemoteError(
            f"Lambda cannot be reached in {region}. Is the region spelled right, and "
            "is there a network?"
        )
    # ProfileNotFound, a broken configuration file, an expired single sign-on...
    return RemoteError(f"The call of {target} cannot be made ({name}): {error}")


def explain_failure(payload: Any, target: Target) -> RemoteError:
    """Return what to tell of a function that failed instead of returning a result."""
    told = payload if isinstance(payload, dict) else {}
    kind = str(told.get("errorType", "an unknown error"))
    message = str(told.get("errorMessage", ""))
    where = f"See the log group {target.log_group}."
    if kind == "Sandbox.Timedout" or "timed out" in message:
        return RemoteError(
            f"{target} ran into Lambda's timeout and was killed. What was not "
            f"committed is undone. {where}"
        )
    if kind == "Runtime.OutOfMemory" or "signal: killed" in message:
        return RemoteError(
            f"{target} was killed, most likely because its memory was not enough: "
            f"give it more memorySize. {where}"
        )
    if kind in ("InitError", "Runtime.ImportModuleError", "Runtime.HandlerNotFound"):
        return RemoteError(
            f"{target} does not start, so nothing was run: {message} {where}"
        )
    return RemoteError(f"{target} failed ({kind}): {message} {where}")
