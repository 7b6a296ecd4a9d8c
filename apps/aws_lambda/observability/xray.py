"""
The X-Ray SDK: what is recorded, what of it leaves, and what is wrapped for it.

The only module that imports the SDK, whose support ends in February 2027 (docs/
decisions.md); tracing.py describes requests to it. What fails in it is swallowed,
and told once, as a warning.
"""

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import cache, wraps
from typing import Any
from urllib.parse import urlsplit

logger = logging.getLogger(__name__)
complaints = logging.getLogger("aws_xray_sdk")

# https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html
NOT_IN_NAMES = re.compile(r"[^\w\s.:/%&#=+\\@-]")


def harmless(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make the function return None where it would raise, and complain."""

    @wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception:
            complaints.warning("Tracing failed", exc_info=True)
            return None

    return wrapper


class Once(logging.Handler):
    """Pass on what is complained of, once for each place in the code."""

    places: set[tuple[str, int]] = set()

    def emit(self, record: logging.LogRecord) -> None:
        place = record.pathname, record.lineno
        if record.levelno >= logging.WARNING and place not in self.places:
            self.places.add(place)
            logger.warning("%s", record.getMessage(), exc_info=record.exc_info)


@cache
def recorder() -> Any:
    """Return the SDK's recorder; the first time, prepare it."""
    complaints.handlers, complaints.propagate = [Once()], False

    from aws_xray_sdk.core import patch, xray_recorder
    from wrapt import when_imported, wrap_function_wrapper

    def wrap_urllib3(module: Any) -> None:
        wrap_function_wrapper(module, "HTTPConnectionPool.urlopen", trace_urlopen)

    send = xray_recorder.emitter.send_entity
    xray_recorder.emitter.send_entity = lambda entity: send(Document(entity))
    # Now, if the library has been imported, or else when it is. To patch botocore
    # its client has to be complete, which it is once its session is.
    when_imported("botocore.session")(harmless(lambda _: patch(["botocore"])))
    when_imported("httpx")(harmless(lambda _: patch(["httpx"])))
    when_imported("urllib3.connectionpool")(harmless(wrap_urllib3))
    return xray_recorder


@contextmanager
def subsegment(name: str, namespace: str = "local") -> Iterator[Any]:
    """Time the block. It is a fault if it raises."""
    opened = harmless(recorder().begin_subsegment)(name, namespace)
    try:
        yield opened
    except BaseException:
        if opened:
            opened.fault = True
        raise
    finally:
        if opened:
            harmless(recorder().end_subsegment)()


def trace_urlopen(urlopen: Any, pool: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Wrap the method of urllib3 by which requests sends, too."""
    current = harmless(recorder().current_subsegment)()
    # Not one more for a redirect or a retry, nor for a call that botocore makes.
    if current is None or current.namespace != "local":
        return urlopen(*args, **kwargs)
    with subsegment(pool.host, "remote") as opened:
        describe_call(opened, pool, args, kwargs)
        response = urlopen(*args, **kwargs)
        if opened:
            harmless(opened.put_http_meta)("status", response.status)
        return response


@harmless
def describe_call(opened: Any, pool: Any, args: Any, kwargs: dict[str, Any]) -> None:
    from aws_xray_sdk.ext.util import inject_trace_header

    opened.put_http_meta("method", args[0] if args else kwargs["method"])
    opened.put_http_meta("url", f"{pool.scheme}://{pool.host}/")
    if len(args) < 4:  # the fourth would be the headers
        headers = copy(kwargs.get("headers") or pool.headers)
        inject_trace_header(headers, opened)
        kwargs["headers"] = headers


class Document:
    """What leaves of a subsegment: not what an exception says, nor a secret URL."""

    def __init__(self, entity: Any) -> None:
        self.entity = entity

    def serialize(self) -> str:
        return json.dumps(clean(self.entity.to_dict()), default=str)


def clean(document: dict[str, Any]) -> dict[str, Any]:
    document["name"] = NOT_IN_NAMES.sub("", document["name"])[:200]
    cause = document.get("cause")
    if isinstance(cause, dict):  # otherwise the ID of one that is told elsewhere
        for error in cause["exceptions"]:
            error.pop("message", None)
    request = document.get("http", {}).get("request", {})
    if document["namespace"] == "remote" and "url" in request:
        # By its path a webhook or a bot is called: it is as good as a password.
        url = urlsplit(request["url"])
        request["url"] = f"{url.scheme}://{url.hostname}/"
    for child in document.get("subsegments", ()):
        clean(child)
    return document
