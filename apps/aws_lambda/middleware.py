"""
All middleware: request ID, access log, traces, deadline, exceptions, cookie path.

MIDDLEWARE has them in the order in which they are here.
"""

import logging
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core import signals
from django.core.exceptions import (
    BadRequest,
    MiddlewareNotUsed,
    PermissionDenied,
    SuspiciousOperation,
)
from django.http import Http404, HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.log import log_response

from . import conf
from .database.connections import discard_interrupted_connections
from .deadline import DeadlineExceeded, disarm
from .invocation import invocation, request_id
from .observability.queries import counted_queries
from .views import error_response

logger = logging.getLogger(__name__)
# One of its own, so that a project can turn the access log off.
access = logging.getLogger(f"{__package__}.access")

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Django answers these itself, with 400, 403 or 404, through the URLconf's
# handlers; a view raises them for an invalid request.
CLIENT_ERRORS = (
    BadRequest,
    Http404,
    MultiPartParserError,
    PermissionDenied,
    SuspiciousOperation,
)


class RequestIDMiddleware:
    """
    Give each request an ID that its logs and its response share.

    The gateway's ID wins. One that the client sends is ignored, because a caller
    must not be able to forge the string that the logs are searched for.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Absent under runserver and Django's own test client.
        #
        # Not reset afterwards: Django logs a 4xx response after the outermost
        # middleware has returned. The next request replaces it.
        request_id.set(request.META.get("aws_lambda.request_id") or uuid4().hex)
        response = self.get_response(request)
        response["X-Request-ID"] = request_id.get()
        return response


class AccessLogMiddleware:
    """
    Log each request: method, route, status, time, size, and database queries.

    The route ("documents/<int:pk>/") and not the path: a path holds what a client
    typed, and there are too many of them for a metric. Place it right after
    RequestIDMiddleware.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "aws_lambda.warm_up" in request.META:
            return self.get_response(request)
        start = time.perf_counter()
        with counted_queries() as queries:
            response = self.get_response(request)
        duration = round((time.perf_counter() - start) * 1000, 1)
        match = request.resolver_match
        route = f"/{match.route}" if match else "(none)"
        status = response.status_code
        measured: dict[str, Any] = {
            "Requests": 1,
            "Errors": int(status >= 500),
            "ClientErrors": int(400 <= status < 500),
            "Duration": (duration, "Milliseconds"),
            "DatabaseTime": (queries.ms, "Milliseconds"),
        }
        now = invocation.get()
        if now:
            measured["ColdStarts"] = int(now.cold_start)
            if (remaining := now.remaining_ms) is not None:
                measured["RemainingTime"] = (remaining, "Milliseconds")
        access.info(
            "%s %s %s",
            request.method,
            route,
            status,
            extra={
                "method": request.method,
                "route": route,
                "status": status,
                "duration_ms": duration,
                "response_bytes": _size(response),
                "queries": queries.count,
                "queries_ms": queries.ms,
                "metrics": measured,
            },
        )
        return response


class TracingMiddleware:
    """
    Record each request that X-Ray samples, its queries and its calls to other services.

    Place it right after the access log, outside middleware that can fail or be slow. It
    removes itself unless LAMBDA_TRACING is on and this is Lambda.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        if not conf.get("LAMBDA_TRACING"):
            raise MiddlewareNotUsed
        from .observability import xray

        if not xray.start():
            raise MiddlewareNotUsed
        self.trace = xray.trace_request

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.trace(self.get_response, request)


class DeadlineMiddleware:
    """
    Answer a request that exceeds the deadline, inside Django.

    Its transaction is rolled back when the interrupt arrives here. Place it inside
    the access log, which then has the route and the duration.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        except DeadlineExceeded:
            # Do not interrupt the error page.
            disarm()
            match = request.resolver_match
            logger.exception(
                "Deadline exceeded in %s",
                match.view_name if match else "no view",
                extra={
                    "route": f"/{match.route}" if match else "(none)",
                    "metrics": {"DeadlineHits": 1},
                },
            )
            discard_interrupted_connections()
            return error_response(request, 504)


class ExceptionMiddleware:
    """
    Answer an exception of a view with the request ID, and log it in full.

    A program gets JSON and a browser gets a page, by the Accept header. With DEBUG
    on, Django shows its own page with the traceback instead.

    Place it near the front: Django calls the last middleware's process_exception
    first, and one of the project's own may have a better answer.

    Errors raised outside a view (another middleware, the URL resolver) do not pass
    through it: Django calls the URLconf's handler400, handler403, handler404 and
    handler500 for them. Set those to the views of this app.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        if settings.DEBUG or settings.DEBUG_PROPAGATE_EXCEPTIONS:
            return None
        if isinstance(exception, CLIENT_ERRORS):
            return None
        # Error reporters listen to this signal. Django sends it only for an
        # exception that no middleware answers.
        signals.got_request_exception.send(sender=None, request=request)
        response = error_response(request, 500)
        log_response(
            "%s: %s",
            response.reason_phrase,
            request.path,
            response=response,
            request=request,
            exception=exception,
        )
        return response


class CookiePathMiddleware:
    """
    Keep cookies inside the prefix under which the site is served.

    The stages of an API share one host name: with ``Path=/`` the session of
    "/dev" would be sent to "/prod". A cookie with any other path is left
    alone, and so is a "__Host-" cookie, whose path must be "/".
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        prefix = request.META.get("SCRIPT_NAME")
        if prefix:
            for name, cookie in response.cookies.items():
                if cookie["path"] == "/" and not name.startswith("__Host-"):
                    cookie["path"] = prefix
        return response


def _size(response: HttpResponseBase) -> int | None:
    """Return the bytes of the body; None for a stream without a Content-Length."""
    if response.streaming:
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    return len(response.content)  # type: ignore[attr-defined]
