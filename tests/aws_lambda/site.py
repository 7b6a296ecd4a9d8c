"""A WSGI application that remembers what reaches it and answers as it is told."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.validate import validator

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EventSource, LambdaContext, Request, Response


class Stream:
    """A response body that counts how often it is closed."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.chunks = iter(chunks)
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self.chunks

    def close(self) -> None:
        self.closed += 1


@dataclass
class Site:
    """
    One visit's worth of a web site.

    ``environ`` and ``body`` are what arrived. ``faults`` are the complaints of
    wsgiref.validate, which the gateway would otherwise turn into a 500.
    """

    status: str = "200 OK"
    # WSGI wants a Content-Type, so one is added if there is none.
    headers: list[tuple[str, str]] = field(default_factory=list)
    chunks: Iterable[bytes] = (b"hello",)
    environ: dict[str, Any] = field(default_factory=dict)
    body: bytes = b""
    stream: Stream | None = None
    faults: list[AssertionError] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.status[:3] not in ("204", "304") and not any(
            name.lower() == "content-type" for name, _ in self.headers
        ):
            self.headers.append(("Content-Type", "text/plain; charset=utf-8"))

    def application(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        self.environ = dict(environ)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self.body = environ["wsgi.input"].read(length)
        start_response(self.status, self.headers)
        self.stream = Stream(self.chunks)
        return self.stream

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        try:
            return validator(self.application)(environ, start_response)
        except AssertionError as fault:
            self.faults.append(fault)
            raise

    @property
    def path(self) -> bytes:
        """Return PATH_INFO as the bytes that it stands for."""
        path: str = self.environ["PATH_INFO"]
        return path.encode("latin-1")


def visit(
    event_source: EventSource, site: Any, request: Request, **options: Any
) -> Response:
    """Send a request through an event source to a site, which must see valid WSGI."""
    handler = make_handler(site, **{**event_source.handler_options, **options})
    response = event_source.send(handler, request, LambdaContext())
    if isinstance(site, Site):
        assert not site.faults
        assert site.stream is None or site.stream.closed == 1
    return response


def visit_and_keep(
    event_source: EventSource, site: Any, request: Request
) -> tuple[Any, Response]:
    """Visit a site, and return Lambda's result as well as the response."""
    results = []
    handler = make_handler(site, **event_source.handler_options)

    def keep(event: Any, context: object) -> Any:
        results.append(handler(event, context))
        return results[0]

    response = event_source.send(keep, request, LambdaContext())
    return results[0], response


def get(
    event_source: EventSource, path: str = "/", *headers: tuple[str, str]
) -> Request:
    """Return a GET of an application path under the prefix of the event source."""
    return Request("GET", event_source.prefix + path, headers)


def post(event_source: EventSource, body: bytes, *headers: tuple[str, str]) -> Request:
    """Return a POST to the root of the application."""
    return Request("POST", f"{event_source.prefix}/", headers, body)
