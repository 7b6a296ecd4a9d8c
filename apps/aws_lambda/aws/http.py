"""One HTTP request, answered or explained."""

from contextlib import closing
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext, create_default_context
from urllib.parse import SplitResult, urlsplit


class AwsError(Exception):
    """
    A call that AWS refused, or did not answer; its text may be shown to anyone.

    ``code`` is the service's own, such as "AccessDeniedException", or empty if
    there was no answer. The service's message is left out: nobody promises what
    is in it.
    """

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


def send(
    method: str, url: str, headers: dict[str, str], body: bytes = b"", *, timeout: float
) -> tuple[int, bytes]:
    """Return the status and the body of the answer. Raise AwsError if there is none."""
    parts = urlsplit(url)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    try:
        with closing(_connection(parts, timeout)) as connection:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
    except TimeoutError:
        raise AwsError(f"{parts.netloc} does not answer in time") from None
    except (OSError, HTTPException, ValueError) as error:
        # Only its name: a ValueError shows the header it is about.
        name = type(error).__name__
        raise AwsError(f"{parts.netloc} cannot be reached ({name})") from None


def _connection(parts: SplitResult, timeout: float) -> HTTPConnection:
    if parts.scheme == "https":
        return HTTPSConnection(parts.netloc, timeout=timeout, context=_authorities())
    return HTTPConnection(parts.netloc, timeout=timeout)


@cache
def _authorities() -> SSLContext:
    # Reading the system's takes 18 ms, so they are shared by all connections.
    return create_default_context()
