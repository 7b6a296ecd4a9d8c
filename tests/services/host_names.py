"""A proxy that leads every host name to one port of this machine."""

import socket
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread

from apps.aws_lambda.cli.ports import free_port

REQUEST_BYTES = 65_536
TIMEOUT_SECONDS = 10.0


class HostNames:
    """
    A proxy on a free port of 127.0.0.1, for programs that use HTTPS_PROXY.

    They ask for https://<any name>/ and reach ``port``, as if that server had the
    name; so nothing on the internet is reached. Plain HTTP is refused.
    """

    def __init__(self, port: int) -> None:
        self.port = free_port()
        self.target = port
        self._server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def environment(self) -> dict[str, str]:
        """Return the variables with which a program uses it."""
        return {
            name: value
            for upper, value in (
                ("HTTPS_PROXY", self.url),
                ("HTTP_PROXY", self.url),
                ("NO_PROXY", "127.0.0.1"),
            )
            for name in (upper, upper.lower())
        }

    def start(self) -> None:
        self._server = Server(self.port, self.target)
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, port: int, target: int) -> None:
        super().__init__(("127.0.0.1", port), Tunnel)
        self.target = target


class Tunnel(BaseRequestHandler):
    """One connection: a CONNECT request, and then bytes in both directions."""

    server: Server
    request: socket.socket

    def handle(self) -> None:
        self.request.settimeout(TIMEOUT_SECONDS)
        with suppress(OSError):
            if not self.read_head().startswith(b"CONNECT "):
                self.request.sendall(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self.server.target)) as target:
                self.request.settimeout(None)
                self.request.sendall(b"HTTP/1.1 200 Connection Established\r\n\r\n")
                back = Thread(target=copy, args=(target, self.request), daemon=True)
                back.start()
                copy(self.request, target)
                back.join()

    def read_head(self) -> bytes:
        """Return the request up to its empty line, which nothing follows yet."""
        head = b""
        while not head.endswith(b"\r\n\r\n") and len(head) < REQUEST_BYTES:
            part = self.request.recv(REQUEST_BYTES)
            if not part:
                break
            head += part
        return head


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until the source ends, and end the target."""
    with suppress(OSError):
        while part := source.recv(REQUEST_BYTES):
            target.sendall(part)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
