"""
Serve web requests with a WSGI application, from any event source.

Read from top to bottom: find the event source, read its event as a Request, run
the application (wsgi.py), write its Response as a result.
"""

import json
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
from .response import Response, Result

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


class EventSource(Protocol):
    """
    An AWS service that sends web requests.

    ``payload_format`` is the ``version`` in its events, "1.0" if they have none;
    ``limit_bytes`` is the largest event and result, as bytes of JSON. ``read`` raises
    AttributeError, KeyError, TypeError or ValueError for an event that does not have
    the documented shape.
    """

    name: str
    payload_format: str
    limit_bytes: int

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
    Return what serves each invocation with the WSGI application.

    ``base_path`` is the public path of the site, "/shop", where a mapped custom
    domain or a proxy serves it below one that no event contains; "/" means that the
    site is at the root, regardless of the event. ``scheme`` is that of API Gateway
    and Function URLs: "https" except for a local stand-in. On a load balancer the
    client is the ``trusted_proxies``-th entry from the right in X-Forwarded-For. A
    request is interrupted ``deadline_margin`` seconds before Lambda's timeout.
    Raises ValueError if one of them cannot be right.

    In its environ the application finds ``aws_lambda.request_id``,
    ``aws_lambda.event_source`` and ``aws_lambda.invocation`` (1 for the first
    request of this execution environment), besides what apig-wsgi puts there.

    What is returned raises UnsupportedEvent for an event that is not a web request.
    Otherwise it returns a result, also if the application raises.
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
            # AWS refuses it itself; local stand-ins do not.
            message = (
                f"The request body is {size:,} bytes as Lambda receives it, and "
                f"{source.name} accepts {source.limit_bytes:,}."
            )
            logger.warning("%s", message)
            response = error_response(413, identifier, message=message)
            return source.write(event, response)
        extra = {
            "aws_lambda.request_id": identifier,
            "aws_lambda.event_source": source.name,
            "aws_lambda.invocation": invocation.number,
        }
        try:
            with guard(invocation.remaining_ms, deadline_margin):
                response = wsgi.run(application, request, invocation, extra)
        except DeadlineExceeded:
            logger.exception(
                "Deadline exceeded in %s",
                _described(request),
                extra={"metrics": {"DeadlineHits": 1}},
            )
            response = error_response(504, identifier)
        except BaseException:
            # SystemExit and asyncio's CancelledError, too: they would end the
            # runtime, and the execution environment with it.
            logger.exception("The application failed on %s", _described(request))
            response = error_response(500, identifier)
        # https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1
        if request.method == "HEAD" or response.status in (204, 304):
            response = response._replace(body=b"")
        result = source.write(event, response)
        if size := _excess(result, source.limit_bytes):
            message = (
                f"The response is {size:,} bytes as Lambda returns it, and "
                f"{source.name} accepts {source.limit_bytes:,}."
            )
            logger.error("%s Redirect to a signed URL of the storage instead.", message)
            response = error_response(
                500, identifier, error="response_too_large", message=message
            )
            result = source.write(event, response)
        return result

    return serve


def read(event: Event, options: Options) -> tuple[EventSource, Request]:
    """Return the request, and who sent it. Raise UnsupportedEvent for all else."""
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


def _described(request: Request) -> str:
    path = request.path_info.encode("latin-1").decode(errors="replace")
    return f"{request.method} {path!r}"


def _excess(result: Result, limit_bytes: int) -> int:
    """Return the size of a result that is over the limit in bytes, else 0."""
    # JSON writes a control character as six. The other half is ample for headers.
    longest = 1 if result["isBase64Encoded"] else 6
    if longest * len(result["body"]) < limit_bytes // 2:
        return 0
    size = len(json.dumps(result, ensure_ascii=False).encode())
    return size if size > limit_bytes else 0
