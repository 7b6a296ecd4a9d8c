"""One HTTP request, without a connection pool or redirects."""

from contextlib import closing
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext, create_default_context
from urllib.parse import SplitResult, urlsplit


class AwsError(Exception):
    """
    A call to AWS that failed. The text is safe to show to anyone.

    ``code`` is the service's error code, such as "AccessDeniedException", or empty if
    there was no response. The service's message is left out: AWS does not document
    what it may contain.
    """

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


def send(
    method: str, url: str, headers: dict[str, str], body: bytes = b"", *, timeout: float
) -> tuple[int, bytes]:
    """Return the status and body of the response. Raises AwsError without one."""
    parts = urlsplit(url)
    path = parts.path or "/"
    target = f"{path}?{parts.query}" if parts.query else path
    try:
        with closing(_connection(parts, timeout)) as connection:
            connection.request(method, target, body or None, headers)
            response = connection.getresponse()
            return response.status, response.read()
    except TimeoutError:
        raise AwsError(f"{parts.netloc} did not answer in time") from None
    except (OSError, HTTPException, ValueError) as error:
        # Only the name: the text of a ValueError contains the header, which may be a
        # credential.
        name = type(error).__name__
        raise AwsError(f"{parts.netloc} cannot be reached ({name})") from None


def _connection(parts: SplitResult, timeout: float) -> HTTPConnection:
    if parts.scheme == "https":
        return HTTPSConnection(parts.netloc, timeout=timeout, context=_tls_context())
    return HTTPConnection(parts.netloc, timeout=timeout)


@cache
def _tls_context() -> SSLContext:
    # Reading the system's certificates takes 18 ms: once for all connections.
    return create_default_context()
