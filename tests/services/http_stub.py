"""An HTTP server whose responses a test chooses, and that records the requests."""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from threading import Event, Thread
from typing import NamedTuple, Self


class Request(NamedTuple):
    """A recorded request, with lower-case header names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


# A status, a body and optionally headers; or None to send no response.
Answer = tuple[int, str] | tuple[int, str, dict[str, str]] | None


class HttpStub(ThreadingHTTPServer):
    """
    Serve on a free port of 127.0.0.1, from the constructor until ``close``.

    ``answer`` is called for each request, in a thread of its own. A request without a
    response waits until the server is closed. With a TLS context, it serves HTTPS.
    """

    def __init__(
        self, answer: Callable[[Request], Answer], tls: SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.answer = answer
        self.requests: list[Request] = []
        self.closing = Event()
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *args: object) -> None:
        """Ignore clients that have disconnected."""

    def close(self) -> None:
        """Release the requests that wait, and stop."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    server: HttpStub

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        self.server.requests.append(request)
        answer = self.server.answer(request)
        if answer is None:
            self.server.closing.wait()
            return
        status, text = answer[:2]
        more: dict[str, str] = answer[2] if len(answer) == 3 else {}
        self.send_response(status)
        for name, value in more.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_HEAD = do_OPTIONS = do_POST = do_PUT = _serve  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass
