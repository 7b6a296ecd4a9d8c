"""One log line per request, which is also its metrics."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..invocation import invocation

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class AccessLogMiddleware:
    """
    Log each request: method, route, status, time, size, and database queries.

    The route ("documents/<int:pk>/") and not the path: paths hold what people
    typed, and there are too many of them to count by. Place it right after the
    middleware that gives the request its ID.
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
        logger.info(
            "%s %s %s",
            request.method,
            route,
            status,
            extra={
                "method": request.method,
                "route": route,
                "status": status,
                "duration_ms": duration,
                "response_bytes": size(response),
                "queries": queries.count,
                "queries_ms": queries.ms,
                "metrics": measured,
            },
        )
        return response


class Queries:
    """How many queries were sent, and the milliseconds that they took."""

    count = 0
    seconds = 0.0

    @property
    def ms(self) -> float:
        return round(self.seconds * 1000, 1)

    def __call__(
        self,
        execute: Callable[..., Any],
        sql: str,
        params: Any,
        many: bool,
        context: Any,
    ) -> Any:
        start = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.count += 1
            self.seconds += time.perf_counter() - start


@contextmanager
def counted_queries() -> Iterator[Queries]:
    """Count what all databases are asked meanwhile."""
    queries = Queries()
    with ExitStack() as stack:
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(queries))
        yield queries


def size(response: HttpResponseBase) -> int | None:
    """Return the length of the body; None for a stream that does not tell."""
    if response.streaming:
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None
    return len(response.content)  # type: ignore[attr-defined]
