"""The errors of calls to AWS, as sentences with what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from ...commands.remote.access import Barrier, barrier, status_of
from ..report import DeployError

NOT_FOUND_CODES = (
    "NotFoundException",  # SES
    "ParameterNotFound",
    "ResourceNotFoundException",
)


class Refused(DeployError):
    """AWS has refused the call, which changed nothing."""


class NotFound(Refused):
    """The resource does not exist on AWS."""


class NoAccess(DeployError):
    """
    AWS cannot be asked: no credentials, a session that has ended, or no network.

    ``answered`` is whether AWS has refused the call. Otherwise it may have executed it.
    """

    def __init__(self, found: Barrier) -> None:
        super().__init__(found.reason, first=found.first)
        self.answered = found.answered


@contextmanager
def errors_of_aws(call: str) -> Iterator[None]:
    """
    Raise DeployError for a call, such as "s3 list".

    Only after Refused and its kind, and after NoAccess that is ``answered``, it is
    known that AWS has not executed the call.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        if found := barrier(error):
            reason = f"Could not call {call}. {found.reason}"
            raise NoAccess(found._replace(reason=reason)) from error
        if isinstance(error, BotoCoreError):
            raise DeployError(f"Could not call AWS: {error}") from error
        code = error.response["Error"]["Code"]
        message = error.response["Error"]["Message"]
        if status_of(error) >= 500:
            raise DeployError(
                f"Could not call {call}: AWS, or a proxy on the way, has failed with "
                f"{code} ({message}).",
                first="wait a minute",
            ) from error
        if code in NOT_FOUND_CODES or (
            code == "ValidationError" and "does not exist" in message
        ):
            raise NotFound(message) from error
        raise Refused(f"AWS refused {call}: {message}") from error
