"""
A request whose body is sent in chunks, as they are made, and may end with trailers.

https://www.rfc-editor.org/rfc/rfc9112#section-7.1
"""

from collections.abc import Iterable
from socket import socket
from time import monotonic

from .connection import JOINED_BYTES, Connection, Response

# For what is sent when no time is left, and for the response to a broken request.
LAST_SECONDS = 0.2


class ChunkedPost:
    """
    A POST request on a connection, which is of no use afterwards: close it.

    Nothing is sent before the first chunk. ``seconds`` is how long something may take,
    None for as long as it takes: a client that reads slowly delays it. All methods
    raise TimeoutError after that time, and ConnectionError if the other side ends the
    connection.
    """

    def __init__(
        self, connection: Connection, path: str, headers: Iterable[tuple[str, str]]
    ) -> None:
        self._connection = connection
        lines = [*headers, ("Transfer-Encoding", "chunked")]
        self._start = connection.head("POST", path, lines)

    def send(self, chunk: bytes, seconds: float | None) -> None:
        """Send a chunk of at least one byte."""
        start = b"%b%x\r\n" % (self._start, len(chunk))
        self._start = b""
        end = _end(seconds)
        if len(chunk) <= JOINED_BYTES:
            self._until(end).sendall(b"%b%b\r\n" % (start, chunk))
            return
        # Each of them waits for the reader.
        for part in (start, chunk, b"\r\n"):
            self._until(end).sendall(part)

    def finish(
        self, trailers: Iterable[tuple[str, str]], seconds: float | None
    ) -> Response:
        """Send the end, and return the response."""
        end = _end(None if seconds is None else max(seconds, LAST_SECONDS))
        lines = "".join(f"{name}: {value}\r\n" for name, value in trailers)
        self._until(end).sendall(b"%b0\r\n%b\r\n" % (self._start, lines.encode()))
        self._until(end)
        return self._connection.response()

    def refusal(self) -> Response | None:
        """Return the response to a request that the other side has ended, if any."""
        try:
            self._until(_end(LAST_SECONDS))
            return self._connection.response()
        except OSError:
            return None

    def _until(self, end: float | None) -> socket:
        """Return the socket; what it does next may take until ``end``, if not None."""
        connected = self._connection.connect()
        # 0 would mean that nothing waits.
        seconds = None if end is None else max(end - monotonic(), 0.001)
        connected.settimeout(seconds)
        return connected


def _end(seconds: float | None) -> float | None:
    return None if seconds is None else monotonic() + seconds
