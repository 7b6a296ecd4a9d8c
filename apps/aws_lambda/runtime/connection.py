"""
A connection to the Runtime API: requests, one after another, on a kept socket.

http.client takes longer for a request than most handlers, and copies large bodies.
https://www.rfc-editor.org/rfc/rfc9112
"""

import socket
import sys
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

# A larger body is sent from where it is, and not joined with the headers.
JOINED_BYTES = 16 * 1024
READ_BYTES = 64 * 1024
USER_AGENT = "django-on-lambda/" + ".".join(map(str, sys.version_info[:3]))


class Response(NamedTuple):
    """
    A response of the Runtime API.

    Header names are in lower case; values are text of UTF-8. The body is a bytearray
    if it was larger than what came with the headers: it is the connection's, and has
    another content after the next request.
    """

    status: int
    headers: dict[str, str]
    body: bytes | bytearray


class Unanswered(ConnectionError):
    """The connection ended before the first byte of the response."""


class Connection:
    """
    A client of the Runtime API at ``address``, "127.0.0.1:9001" or "[::1]:9001".

    It waits for a response as long as it takes. Signal handlers run meanwhile; if one
    raises, the connection is closed.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = address
        # Text would be encoded by a module that nothing else imports.
        self._peer = host.strip("[]").encode(), int(port)
        self._common = f" HTTP/1.1\r\nHost: {address}\r\nUser-Agent: {USER_AGENT}\r\n"
        self._socket: socket.socket | None = None
        # What has arrived after the last response.
        self._received = b""
        # For large bodies: fresh memory for each would cost more than to fill it.
        self._buffer = bytearray()

    def request(
        self,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]] = (),
        body: Sequence[bytes] = (),
    ) -> Response:
        """
        Send a request, its body in parts, and return the response.

        Without an answer it is sent once more, on a new connection: the other side may
        have closed the old one, also in a freeze. Raises ConnectionError if there is
        no answer then or only a part of one, and OSError if there is no connection.
        """
        lines = [*headers]
        if method == "POST":
            lines.append(("Content-Length", str(sum(map(len, body)))))
        start = self.head(method, path, lines)
        try:
            return self._exchange(start, body)
        except Unanswered:
            self.close()
        except BaseException:
            self.close()
            raise
        try:
            return self._exchange(start, body)
        except BaseException:
            self.close()
            raise

    def head(self, method: str, path: str, headers: Iterable[tuple[str, str]]) -> bytes:
        """Return a request up to the end of its headers."""
        head = f"{method} {path}{self._common}"
        for name, value in headers:
            head += f"{name}: {value}\r\n"
        return f"{head}\r\n".encode()

    def connect(self) -> socket.socket:
        """Return the socket, a new one if it is closed."""
        connected = self._socket
        if connected is None:
            # Its types have no bytes for the host, which getaddrinfo accepts.
            peer: Any = self._peer
            self._socket = connected = socket.create_connection(peer)
            # The headers and a large body are sent separately.
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def response(self) -> Response:
        """Read the response to what was sent."""
        connected = self.connect()
        response = self._read(connected)
        while response.status < 200:
            response = self._read(connected)
        return response

    def close(self) -> None:
        """Close the socket. The next request opens a new one."""
        if self._socket:
            self._socket.close()
        self._socket, self._received = None, b""

    def _exchange(self, head: bytes, body: Sequence[bytes]) -> Response:
        connected = self.connect()
        try:
            if sum(map(len, body)) <= JOINED_BYTES:
                connected.sendall(b"".join((head, *body)))
            else:
                for part in (head, *body):
                    connected.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            # It may have answered, and closed, before it had read everything.
            pass
        return self.response()

    def _read(self, connected: socket.socket) -> Response:
        data = self._received
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self._more(connected, begun=bool(data))
        first, *lines = data[:end].decode(errors="surrogateescape").split("\r\n")
        protocol, _, status = first.partition(" ")
        if not (protocol.startswith("HTTP/1.") and status[:3].isdecimal()):
            raise ConnectionError(f"{self._address} does not speak HTTP: {first!r}")
        response = Response(int(status[:3]), _headers(lines), b"")
        self._received = data[end + 4 :]
        headers = response.headers
        if response.status < 200 or response.status in (204, 304):
            return response
        closes = "close" in headers.get("connection", "").lower()
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body: bytes | bytearray = self._read_chunks(connected)
        elif "content-length" in headers:
            body = self._read_bytes(connected, int(headers["content-length"]))
        else:
            body, closes = self._read_all(connected), True
        if closes:
            self.close()
        return response._replace(body=body)

    def _more(self, connected: socket.socket, *, begun: bool = True) -> bytes:
        try:
            data = connected.recv(READ_BYTES)
        except ConnectionResetError:
            data = b""
        if not data:
            problem = "closed the connection"
            if begun:
                raise ConnectionError(
                    f"{self._address} {problem} in the middle of a response"
                )
            raise Unanswered(f"{self._address} {problem} without a response")
        return data

    def _read_bytes(self, connected: socket.socket, size: int) -> bytes | bytearray:
        have = len(self._received)
        if have >= size:
            body = self._received[:size]
            self._received = self._received[size:]
            return body
        whole = self._buffer
        if len(whole) < size:
            self._buffer = whole = bytearray(size)
        del whole[size:]
        whole[:have], self._received = self._received, b""
        with memoryview(whole) as view:
            while have < size:
                # In one call, unless a signal interrupts it.
                read = connected.recv_into(view[have:], 0, socket.MSG_WAITALL)
                if not read:
                    raise ConnectionError(
                        f"{self._address} closed the connection after {have:,} of "
                        f"{size:,} bytes"
                    )
                have += read
        return whole

    def _read_line(self, connected: socket.socket) -> bytes:
        while (end := self._received.find(b"\r\n")) < 0:
            self._received += self._more(connected)
        line, self._received = self._received[:end], self._received[end + 2 :]
        return line

    def _read_chunks(self, connected: socket.socket) -> bytes:
        chunks = []
        while size := int(self._read_line(connected).partition(b";")[0], 16):
            chunks.append(bytes(self._read_bytes(connected, size)))
            self._read_line(connected)
        # The trailers, and the empty line after them.
        while self._read_line(connected):
            pass
        return b"".join(chunks)

    def _read_all(self, connected: socket.socket) -> bytes:
        chunks = [self._received]
        self._received = b""
        while data := connected.recv(READ_BYTES):
            chunks.append(data)
        return b"".join(chunks)


def _headers(lines: list[str]) -> dict[str, str]:
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return headers
