"""moto's server, one request at a time, with the pages of this package."""

import json
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)

# Requests that change nothing that is kept.
READING = {"GET", "HEAD", "OPTIONS"}
# No bucket has an underscore in its name.
PAGES = "/_"

StartResponse = Callable[..., Any]


class SerialApplication(DomainDispatcherApplication):
    """Serialize the requests of the server's threads: moto is not thread-safe."""

    def __init__(self) -> None:
        super().__init__(create_backend_app)
        self.serial = Lock()

    def __call__(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        with self.serial:
            return self.respond(environ, start_response)

    def respond(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        response: Iterable[bytes] = super().__call__(environ, start_response)
        return response


class LocalApplication(SerialApplication):
    """
    The local AWS: ``keep`` is called after each request that may have changed a file.

    ``pages`` has the pages of its own, by the first part of their path: a function
    that is given the rest, and returns HTML, an object for JSON, or None.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keep: list[Callable[[], None]] = []
        self.pages: dict[str, Callable[[str], Any]] = {}

    def respond(
        self, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        path: str = environ["PATH_INFO"]
        if path.startswith(PAGES):
            name, _, rest = path.removeprefix(PAGES).partition("/")
            page = self.pages.get(name)
            return answer(page(rest) if page else None, start_response)
        response = super().respond(environ, start_response)
        # SQS, which is polled, has a target.
        if environ["REQUEST_METHOD"] not in READING and (
            "HTTP_X_AMZ_TARGET" not in environ
        ):
            for keep in self.keep:
                keep()
        return response


class QuietRequestHandler(MotoRequestHandler):
    """Log no requests: the consumers of the queues send several in a second."""

    def log_request(self, *arguments: object) -> None:
        pass


def answer(page: Any, start_response: StartResponse) -> Iterable[bytes]:
    kind = "text/html; charset=utf-8"
    if not isinstance(page, str | None):
        page, kind = json.dumps(page), "application/json"
    status = "200 OK" if page is not None else "404 Not Found"
    body = (page or "").encode()
    headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]
