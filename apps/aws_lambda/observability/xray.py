"""
AWS X-Ray: what a request does, below Lambda's own segment.

The only module that imports the SDK, whose support ends in February 2027
(docs/decisions.md). Tracing never fails a request: what fails in it is logged
once, as a warning.
"""

import json
import logging
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from copy import copy
from functools import cache, wraps
from typing import Any
from urllib.parse import urlsplit

from django.core.signals import got_request_exception
from django.db import connections
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from ..invocation import request_id

logger = logging.getLogger(__name__)
sdk_logger = logging.getLogger("aws_xray_sdk")

# https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
NOT_IN_NAMES = re.compile(r"[^\w\s.:/%&#=+\\@-]")


def never_raise(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the function return None where it would raise, and log a warning."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            sdk_logger.warning("Tracing failed", exc_info=True)
            return None

    return wrapper


class LogOnce(logging.Handler):
    """Log the warnings of the SDK, once for each place in the code."""

    places: set[tuple[str, int]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        place = record.pathname, record.lineno
        if record.levelno >= logging.WARNING and place not in self.places:
            self.places.add(place)
            logger.warning("%s", record.getMessage(), exc_info=record.exc_info)


def start() -> bool:
    """Prepare the SDK, and return whether requests can be recorded."""
    # Elsewhere there is no segment to continue, and importing the SDK would build a
    # botocore client.
    if "LAMBDA_TASK_ROOT" not in os.environ or not never_raise(recorder)():
        return False
    got_request_exception.connect(describe_exception)
    return True


def trace_request(
    get_response: Callable[[HttpRequest], HttpResponseBase], request: HttpRequest
) -> HttpResponseBase:
    """Return the response; record it, and its queries, if X-Ray samples it."""
    # Otherwise the SDK keeps the segment of the previous invocation, if this one is in
    # the same trace or in none.
    never_raise(recorder().clear_trace_entities)()
    if not never_raise(recorder().is_sampled)():
        return get_response(request)
    with ExitStack() as stack:
        opened = stack.enter_context(subsegment("request"))
        for alias in connections:
            stack.enter_context(connections[alias].execute_wrapper(trace_query))
        response = get_response(request)
        describe(opened, request, response)
        return response


@never_raise
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


@never_raise
def describe_exception(sender: Any, **kwargs: Any) -> None:
    """Record an exception that Django answers: its type and its stack."""
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


@cache
def recorder() -> Any:
    """Return the SDK's recorder; the first time, prepare it."""
    sdk_logger.handlers, sdk_logger.propagate = [LogOnce()], False

    from aws_xray_sdk.core import patch, xray_recorder
    from wrapt import when_imported, wrap_function_wrapper

    def wrap_urllib3(module: Any) -> None:
        wrap_function_wrapper(module, "HTTPConnectionPool.urlopen", trace_urlopen)

    send = xray_recorder.emitter.send_entity
    xray_recorder.emitter.send_entity = lambda entity: send(Document(entity))
    # At once if the library is imported already, or else when it is. botocore can be
    # patched once its session is complete.
    when_imported("botocore.session")(never_raise(lambda _: patch(["botocore"])))
    when_imported("httpx")(never_raise(lambda _: patch(["httpx"])))
    when_imported("urllib3.connectionpool")(never_raise(wrap_urllib3))
    return xray_recorder


@contextmanager
def subsegment(name: str, namespace: str = "local") -> Iterator[Any]:
    """Time the block. It is a fault if it raises."""
    opened = never_raise(recorder().begin_subsegment)(name, namespace)
    try:
        yield opened
    except BaseException:
        if opened:
            opened.fault = True
        raise
    finally:
        if opened:
            never_raise(recorder().end_subsegment)()


def trace_urlopen(urlopen: Any, pool: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Wrap the method of urllib3 by which requests sends, too."""
    current = never_raise(recorder().current_subsegment)()
    # One for a call: not for its redirects and retries, nor for those of botocore.
    if current is None or current.namespace != "local":
        return urlopen(*args, **kwargs)
    with subsegment(pool.host, "remote") as opened:
        describe_call(opened, pool, args, kwargs)
        response = urlopen(*args, **kwargs)
        if opened:
            never_raise(opened.put_http_meta)("status", response.status)
        return response


@never_raise
def describe_call(opened: Any, pool: Any, args: Any, kwargs: dict[str, Any]) -> None:
    from aws_xray_sdk.ext.util import inject_trace_header

    opened.put_http_meta("method", args[0] if args else kwargs["method"])
    opened.put_http_meta("url", f"{pool.scheme}://{pool.host}/")
    if len(args) < 4:  # the fourth would be the headers
        headers = copy(kwargs.get("headers") or pool.headers)
        inject_trace_header(headers, opened)
        kwargs["headers"] = headers


class Document:
    """A subsegment as it is sent: without exception messages and secret URLs."""

    def __init__(self, entity: Any) -> None:
        self.entity = entity

    def serialize(self) -> str:
        return json.dumps(clean(self.entity.to_dict()), default=str)


def clean(document: dict[str, Any]) -> dict[str, Any]:
    document["name"] = NOT_IN_NAMES.sub("", document["name"])[:200]
    cause = document.get("cause")
    if isinstance(cause, dict):  # otherwise the ID of one that is recorded elsewhere
        for error in cause["exceptions"]:
            error.pop("message", None)
    request = document.get("http", {}).get("request", {})
    if document["namespace"] == "remote" and "url" in request:
        # The path of a webhook or a bot works like a password.
        url = urlsplit(request["url"])
        request["url"] = f"{url.scheme}://{url.hostname}/"
    for child in document.get("subsegments", ()):
        clean(child)
    return document
