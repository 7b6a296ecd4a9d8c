"""
Serve web requests with a WSGI application, from any event source.

Read from top to bottom: find the event source, read its event as a Request, run
the application (wsgi.py), write its Response as a result.
"""

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from ..deadline import DEADLINE_MARGIN_SECONDS, DeadlineExceeded, guard
from ..events import Context, Event, UnsupportedEvent, refusal
from ..invocation import Invocation, request_id
from . import wsgi
from .errors import error_response
from .load_balancer import LoadBalancer
from .payload_1_0 import HttpApiFormat1, RestApi
from .payload_2_0 import FunctionUrl, HttpApi
from .request import Options, Request, body_size
from .response import Response, Result, conform, header_bytes, result_bytes

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


class EventSource(Protocol):
    """
    An AWS service that sends web requests.

    ``payload_format`` is the ``version`` in its events, "1.0" if they have none;
    ``limit_bytes`` is the largest event and result, as bytes of JSON, and
    ``header_limit_bytes`` the largest headers of a response, or None. ``read`` raises
    AttributeError, KeyError, TypeError or ValueError for an event that does not have
    the documented shape.
    """

    name: str
    payload_format: str
    limit_bytes: int
    header_limit_bytes: int | None

    def sends(self, event: Event, context: Context) -> bool:
        """Return whether it sent this event of its format, given the requestContext."""

    def read(self, event: Event, options: Options) -> Request:
        """Return the request in the event."""

    def write(self, event: Event, response: Response) -> Result:
        """Return the response in the form that answers the event."""


# The first that matches counts.
EVENT_SOURCES: tuple[EventSource, ...] = (
    FunctionUrl(),
    HttpApi(),
    RestApi(),
    HttpApiFormat1(),
    LoadBalancer(),
)


def make_gateway(
    application: "WSGIApplication",
    *,
    base_path: str = "",
    scheme: str = "https",
    trusted_proxies: int = 1,
    deadline_margin: float = DEADLINE_MARGIN_SECONDS,
) -> Callable[[Invocation], Result]:
    """
    Return a function that serves an invocation with the WSGI application.

    ``base_path`` is the public path of the site, "/shop", if a mapped custom domain
    or a proxy adds one that the event does not contain; "/" means that the site is at
    the root, regardless of the event. ``scheme`` is that of API Gateway and Function
    URLs: "https", except in local emulators. On a load balancer the
    client is the ``trusted_proxies``-th entry from the right in X-Forwarded-For. A
    request is interrupted ``deadline_margin`` seconds before Lambda's timeout.
    Raises ValueError if an option is invalid.

    In its environ the application finds ``aws_lambda.request_id``,
    ``aws_lambda.event_source`` and ``aws_lambda.invocation`` (1 for the first
    request of this execution environment), besides what apig-wsgi puts there.

    The function raises UnsupportedEvent for an event that is not a web request.
    Otherwise it returns a result, even if the application raises.
    """
    if not BASE_PATH.fullmatch(base_path):
        raise ValueError(f"base_path must be like /shop, not {base_path!r}")
    if scheme not in ("http", "https"):
        raise ValueError(f"scheme must be http or https, not {scheme!r}")
    if trusted_proxies < 1:
        raise ValueError(f"trusted_proxies must be at least 1, not {trusted_proxies}")
    options = Options(base_path, scheme, trusted_proxies)

    def serve(invocation: Invocation) -> Result:
        event = invocation.event
        source, request = read(event, options)
        # A load balancer gives requests no ID; Lambda gives one to each
        # invocation, and the console's test event has neither.
        identifier = request.request_id or invocation.request_id or uuid4().hex
        request_id.set(identifier)
        if (size := body_size(event)) > source.limit_bytes:
            # AWS rejects it itself; local emulators do not.
            message = (
                f"The request body is {size:,} bytes in the event. The limit of "
                f"{source.name} is {source.limit_bytes:,} bytes."
            )
            logger.warning("%s", message)
            response = error_response(413, identifier, message=message)
            return source.write(event, conform(response, request.method))
        try:
            with guard(invocation.remaining_ms, deadline_margin):
                response = wsgi.run(
                    application, request, invocation, identifier, source.name
                )
        except DeadlineExceeded:
            logger.exception(
                "Deadline exceeded in %s",
                _describe(request),
                extra={"metrics": {"DeadlineHits": 1}},
            )
            response = error_response(504, identifier)
        except BaseException:
            # SystemExit and asyncio's CancelledError, too: they would end the
            # runtime, and the execution environment with it.
            logger.exception("The application failed on %s", _describe(request))
            response = error_response(500, identifier)
        response = conform(response, request.method)
        result = source.write(event, response)
        if message := size_error(source, response, result):
            logger.error("%s Redirect to a signed storage URL instead.", message)
            response = error_response(
                500, identifier, error="response_too_large", message=message
            )
            result = source.write(event, conform(response, request.method))
        return result

    return serve


def read(event: Event, options: Options) -> tuple[EventSource, Request]:
    """Return the event source and the request, or raise UnsupportedEvent."""
    source = find_event_source(event)
    if source is None:
        raise refusal(event, "http", "web requests")
    try:
        return source, source.read(event, options).check()
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsupportedEvent(
            f"This looks like a web request through {source.name}, but it does not "
            f"have the documented shape ({type(error).__name__})."
        ) from error


def find_event_source(event: Any) -> EventSource | None:
    """Return the event source of a web request; None for any other event."""
    if not isinstance(event, dict):
        return None
    context = event.get("requestContext")
    if not isinstance(context, dict):
        return None
    # The events of an authorizer and of a WebSocket API look like web requests.
    if "methodArn" in event or "routeArn" in event or "connectionId" in context:
        return None
    payload_format = event.get("version", "1.0")
    for source in EVENT_SOURCES:
        if source.payload_format == payload_format and source.sends(event, context):
            return source
    return None


def _describe(request: Request) -> str:
    path = request.path_info.encode("latin-1").decode(errors="replace")
    return f"{request.method} {path!r}"


def size_error(source: EventSource, response: Response, result: Result) -> str:
    """Return what is too large for the event source, as a sentence, or ""."""
    limit = source.limit_bytes
    # JSON writes a control character as six. Headers never exceed the other half.
    longest = 1 if result["isBase64Encoded"] else 6
    if longest * len(result["body"]) > limit // 2:
        size = result_bytes(result, response.body)
        if size > limit:
            return (
                f"The response is {size:,} bytes as JSON. The limit of {source.name} "
                f"is {limit:,} bytes."
            )
    header_limit = source.header_limit_bytes
    if header_limit and (size := header_bytes(response, header_limit)):
        return (
            f"The response headers are {size:,} bytes. The limit of {source.name} is "
            f"{header_limit:,} bytes."
        )
    return ""
