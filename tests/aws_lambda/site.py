"""A WSGI application that keeps the request and returns a given response."""

import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from wsgiref.validate import WSGIWarning, validator

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import (
    EVENT_SOURCES,
    EventSource,
    LambdaContext,
    Request,
    Response,
)
from apps.aws_lambda.test.wire import Streamed, invoke

# In place of the fixture: those that wait for the whole result. A stream has other
# limits, and its beginning cannot be replaced by an error.
buffered = pytest.mark.parametrize(
    "event_source", EVENT_SOURCES.values(), ids=list(EVENT_SOURCES)
)


class Stream:
    """A response body that counts calls of ``close``."""

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
    A WSGI application for one request.

    ``environ`` and ``body`` are what arrived. ``faults`` are the errors of
    wsgiref.validate, which the gateway turns into a 500. ``application`` is the same
    without this validation.
    """

    status: str = "200 OK"
    # A Content-Type, which WSGI requires, is added if it is missing.
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
        with warnings.catch_warnings():
            # A client may send any method.
            warnings.filterwarnings("ignore", "Unknown REQUEST_METHOD", WSGIWarning)
            try:
                return validator(self.application)(environ, start_response)
            except AssertionError as fault:
                self.faults.append(fault)
                raise

    @property
    def path(self) -> bytes:
        """Return PATH_INFO as bytes."""
        path: str = self.environ["PATH_INFO"]
        return path.encode("latin-1")


def send(
    event_source: EventSource, site: Any, request: Request, **options: Any
) -> Response:
    """Return the response to a request, and check that both sides follow WSGI."""
    handler = make_handler(site, **{**event_source.handler_options, **options})
    response = event_source.send(handler, request, LambdaContext())
    if isinstance(site, Site):
        assert not site.faults
        assert site.stream is None or site.stream.closed == 1
    return response


def send_and_keep_result(
    event_source: EventSource, site: Any, request: Request
) -> tuple[Any, Response]:
    """
    Return the result of the handler, and the response that it becomes.

    A streamed result is its prelude with the body as text.
    """
    results: list[Any] = []
    handler = make_handler(site, **event_source.handler_options)

    def keep(event: Any, context: object) -> Any:
        run = invoke if event_source.streams else lambda call, *args: call(*args)
        results.append(run(handler, event, context))
        return results[0]

    response = event_source.send(keep, request, LambdaContext())
    [result] = results
    if isinstance(result, Streamed):
        prelude, chunks = result.split()
        result = {**prelude, "body": b"".join(chunks).decode()}
    return result, response


def get(
    event_source: EventSource, path: str = "/", *headers: tuple[str, str]
) -> Request:
    """Return a GET request for an application path, below the public prefix."""
    return Request("GET", event_source.prefix + path, headers)


def post(event_source: EventSource, body: bytes, *headers: tuple[str, str]) -> Request:
    """Return a POST request to the root of the application."""
    return Request("POST", f"{event_source.prefix}/", headers, body)


def environ_of(event: dict[str, Any], **options: Any) -> dict[str, Any]:
    """Return the environ that an application receives for an event."""
    site = Site()
    make_handler(site, **options)(event, LambdaContext())
    assert not site.faults
    return site.environ


def read_error(response: Response) -> dict[str, Any]:
    """Return the body of an error response, and check its format."""
    assert response.fault == ""
    body: dict[str, Any] = json.loads(response.body)
    assert set(body) == {"statusCode", "error", "message", "requestId", "timestamp"}
    assert body["statusCode"] == response.status
    assert response.values("x-request-id") == [body["requestId"]]
    assert response.values("content-type")[0].startswith("application/json")
    return body
