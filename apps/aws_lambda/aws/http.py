"""One HTTP request, without a connection pool or redirects."""

from contextlib import closing
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext, create_default_context
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit


class AwsError(Exception):
    """
    A call to AWS that failed. The text is safe to show to anyone.

    ``code`` is the service's error code, such as "AccessDeniedException", or empty if
    there was no response. The service's message is left out of the text: AWS does not
    document what it may contain. It is in ``detail``, to recognise a cause by.
    """

    def __init__(self, reason: str, code: str = "", detail: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.detail = detail


class Unanswered(AwsError):
    """A call that may have taken effect, because its response was lost."""


class Response(NamedTuple):
    """A response, with lower-case header names."""

    status: int
    headers: dict[str, str]
    body: bytes


def send(
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes = b"",
    *,
    timeout: float,
    response_timeout: float | None = None,
) -> Response:
    """
    Return the response. Raises AwsError without one.

    ``timeout``, in seconds, is for the connection, and for each read and the whole of
    the writing unless there is a ``response_timeout``. Once there was a connection,
    the error is Unanswered.
    """
    parts = urlsplit(url)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    kind = AwsError
    try:
        with closing(_connection(parts, timeout)) as connection:
            connection.connect()
            kind = Unanswered
            connection.sock.settimeout(response_timeout or timeout)
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            given = {name.lower(): value for name, value in response.getheaders()}
            return Response(response.status, given, response.read())
    except TimeoutError:
        raise kind(f"{parts.netloc} did not answer in time") from None
    except (OSError, HTTPException, ValueError) as error:
        # Only the name: the text of a ValueError contains the header, which may be a
        # credential.
        name = type(error).__name__
        raise kind(f"{parts.netloc} cannot be reached ({name})") from None


def _connection(parts: SplitResult, timeout: float) -> HTTPConnection:
    if parts.scheme == "https":
        return HTTPSConnection(parts.netloc, timeout=timeout, context=_tls_context())
    return HTTPConnection(parts.netloc, timeout=timeout)


@cache
def _tls_context() -> SSLContext:
    # Reading the system's certificates takes 18 ms: once for all connections.
    return create_default_context()
