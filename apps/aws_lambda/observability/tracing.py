"""
AWS X-Ray: what happens below Lambda's own segment, where LAMBDA_TRACING is on.

What Django tells the tracer of requests, queries and exceptions. Tracing never
costs a request: what fails in it is swallowed (xray.py).
"""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from django.core.exceptions import MiddlewareNotUsed
from django.core.signals import got_request_exception
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from .. import conf
from ..invocation import request_id
from .xray import harmless, recorder, subsegment


class TracingMiddleware:
    """
    Record each request that Lambda samples, its queries and its calls to others.

    Any other request passes untouched. Place it right after the access log,
    outside all that may fail or take time.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        # Elsewhere there is nothing to continue, and importing the SDK would build
        # a botocore client.
        in_lambda = "LAMBDA_TASK_ROOT" in os.environ
        if not (conf.get("LAMBDA_TRACING") and in_lambda and harmless(recorder)()):
            raise MiddlewareNotUsed
        got_request_exception.connect(describe_exception)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # The SDK would stay with the invocation before, if this one is in the same
        # trace or in none.
        harmless(recorder().clear_trace_entities)()
        if not harmless(recorder().is_sampled)():
            return self.get_response(request)
        with ExitStack() as stack:
            opened = stack.enter_context(subsegment("request"))
            for alias in connections:
                stack.enter_context(connections[alias].execute_wrapper(trace_query))
            response = self.get_response(request)
            describe(opened, request, response)
            return response


@harmless
def describe(opened: Any, request: HttpRequest, response: HttpResponseBase) -> None:
    match = request.resolver_match
    route = f"/{match.route}" if match else "(none)"
    host = request.META.get("HTTP_HOST") or request.META["SERVER_NAME"]
    opened.name = f"{request.method} {route}"
    opened.put_annotation("route", route)
    opened.put_annotation("request_id", request_id.get())
    opened.put_http_meta("method", request.method)
    opened.put_http_meta("url", f"{request.scheme}://{host}{request.path}")
    # This makes it an error or a fault, too.
    opened.put_http_meta("status", response.status_code)


@harmless
def describe_exception(sender: Any, **kwargs: Any) -> None:
    """Add an exception that Django answers for: its type and its stack."""
    error, opened = sys.exception(), recorder().current_subsegment()
    if error and opened:
        opened.add_exception(error, traceback.extract_tb(error.__traceback__)[-20:])


def trace_query(
    execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
) -> Any:
    database = context["connection"]
    with subsegment(f"{database.alias}/{database.vendor}", "remote") as opened:
        if opened:
            opened.sql = {"database_type": database.vendor}
        return execute(sql, params, many, context)
