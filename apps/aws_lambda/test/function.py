"""The Lambda function that LambdaClient invokes."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.core.exceptions import BadRequest
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..handlers import make_handler
from .event_sources import Event, EventSource, Handler
from .wire import invoke

type WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Function:
    """A Lambda handler that keeps its last event, result and request."""

    application: WSGIApplication
    event_source: EventSource
    event: Event = field(default_factory=dict)
    result: Any = None
    request: WSGIRequest | None = None

    def __post_init__(self) -> None:
        handler = make_handler(
            self.run_application, **self.event_source.handler_options
        )
        self.handler: Handler = (
            partial(invoke, handler) if self.event_source.streams else handler
        )

    def __call__(self, event: Event, context: object) -> Any:
        self.event, self.result, self.request = event, None, None
        self.result = self.handler(event, context)
        return self.result

    def run_application(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Run the application, and keep its request object."""
        try:
            return self.application(environ, start_response)
        finally:
            # Only ClientWSGIHandler leaves its request object here.
            made = environ.pop("aws_lambda.test.request", None)
            self.request = made or read_request(environ)


def read_request(environ: dict[str, Any]) -> WSGIRequest | None:
    """Return Django's request, or None if Django cannot read its Content-Type."""
    try:
        return WSGIRequest(environ)
    except (BadRequest, ValueError):
        # ValueError in Django 5.2.
        return None


class ClientWSGIHandler(WSGIHandler):
    """Django's WSGI application with optional CSRF checks, like its ClientHandler."""

    def __init__(self, enforce_csrf_checks: bool) -> None:
        super().__init__()
        self.enforce_csrf_checks = enforce_csrf_checks

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return the response, and keep the request for the client."""
        # The flag that Django's own test client sets.
        request._dont_enforce_csrf_checks = not self.enforce_csrf_checks  # type: ignore[attr-defined]
        request.META["aws_lambda.test.request"] = request
        return super().get_response(request)


@contextmanager
def keeping_connections() -> Iterator[None]:
    """
    Keep database connections open after a request, as Django's own client does.
    """
    disconnected = [
        signal
        for signal in (request_started, request_finished)
        if signal.disconnect(close_old_connections)
    ]
    try:
        yield
    finally:
        for signal in disconnected:
            signal.connect(close_old_connections)
