"""The function behind the event sources of Django's test client."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import get_script_prefix, set_script_prefix

from ..handlers import make_handler
from .event_sources import Event, EventSource, Handler

type WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@dataclass
class Function:
    """A Lambda handler that remembers the last thing it saw and said."""

    application: WSGIApplication
    event_source: EventSource
    event: Event = field(default_factory=dict)
    result: Any = None
    request: WSGIRequest | None = None

    def __post_init__(self) -> None:
        self.handler: Handler = make_handler(
            self.remember, **self.event_source.handler_options
        )

    def __call__(self, event: Event, context: object) -> Any:
        self.event, self.result, self.request = event, None, None
        self.result = self.handler(event, context)
        return self.result

    def remember(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Run the application, and keep the request that Django made."""
        try:
            return self.application(environ, start_response)
        finally:
            # Another application than ours leaves no request of its own.
            made = environ.pop("aws_lambda.test.request", None)
            self.request = made or WSGIRequest(environ)


class SiteHandler(WSGIHandler):
    """Django's WSGI application, able to let requests off the CSRF checks."""

    def __init__(self, enforce_csrf_checks: bool) -> None:
        super().__init__()
        self.enforce_csrf_checks = enforce_csrf_checks

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return the response, and leave the request where the client finds it."""
        # The flag that Django's own test client sets.
        request._dont_enforce_csrf_checks = not self.enforce_csrf_checks  # type: ignore[attr-defined]
        request.META["aws_lambda.test.request"] = request
        return super().get_response(request)


@contextmanager
def state_kept() -> Iterator[None]:
    """
    Leave to the test what a request on a server may change for good.

    Database connections stay open, as Django's own client leaves them, and
    ``reverse()`` in the test itself knows no prefix afterwards.
    """
    disconnected = [
        signal
        for signal in (request_started, request_finished)
        if signal.disconnect(close_old_connections)
    ]
    script_prefix = get_script_prefix()
    try:
        yield
    finally:
        set_script_prefix(script_prefix)
        for signal in disconnected:
            signal.connect(close_old_connections)
