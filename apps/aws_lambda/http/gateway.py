"""
Serve web requests with a WSGI application, from any event source.

Read from top to bottom: find the event source, read its event as a Request, run
the application (wsgi.py), write its Response as a result.
"""

import logging
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol
from uuid import uuid4

from ..aws.limits import MAX_STREAM_BYTES
from ..deadline import (
    DEADLINE_MARGIN_SECONDS,
    DeadlineExceeded,
    cancel_coroutines,
    guard,
)
from ..events import Event, RequestContext, UnsupportedEvent, refusal
from ..invocation import Invocation, access_facts, request_id
from .errors import ErrorWriter, json_error
from .load_balancer import LoadBalancer
from .payload_1_0 import HttpApiFormat1, RestApi
from .payload_2_0 import FunctionUrl, HttpApi
from .request import Options, Request, body_size
from .response import (
    Fields,
    Payload,
    Response,
    Result,
    conform,
    header_bytes,
    result_bytes,
    write_payload,
    write_prelude,
    write_result,
)
from .stream import Stream
from .wsgi import make_runner

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

TOO_LARGE = "The response is larger than this site can send. It has been logged."

BASE_PATH = r"(/[A-Za-z0-9._~-]+)*/?"
# One, or several during a rotation. A header has no other characters.
ORIGIN_SECRET = r"[!-+\--~]{32,}(,[!-+\--~]{32,})*"  # noqa: S105 - a pattern


class EventSource(Protocol):
    """
    An AWS service that sends web requests.

    ``payload_format`` is the ``version`` in its events, "1.0" if they have none;
    ``limit_bytes`` is the largest event and result, as bytes of JSON, and
    ``header_limit_bytes`` the largest headers of a response, or None, and
    ``prelude_limit_bytes`` the same as JSON, before a streamed response;
    ``upload_limit`` is the largest file in a request, as a user reads it; ``streams``
    is whether it can be configured for streamed responses. ``read`` raises
    AttributeError, KeyError, TypeError or ValueError for an event that does not have
    the documented shape.
    """

    name: str
    payload_format: str
    limit_bytes: int
    header_limit_bytes: int | None
    prelude_limit_bytes: int | None
    upload_limit: str
    streams: bool

    def sends(self, event: Event, context: RequestContext) -> bool:
        """Return whether it sent this event of its format, given the requestContext."""

    def read(self, event: Event, options: Options) -> Request:
        """Return the request in the event."""

    def write(self, event: Event, response: Response) -> Fields:
        """Return what the result has besides the body."""


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
    origin_secret: str = "",
    deadline_margin: float = DEADLINE_MARGIN_SECONDS,
    streaming: bool = False,
    answer_error: ErrorWriter = json_error,
    status_of: Callable[[BaseException], int] = lambda error: 500,
    after_failure: Callable[[], object] = lambda: None,
) -> Callable[[Invocation], Result | Payload | Stream]:
    """
    Return a function that serves an invocation with the WSGI application.

    ``base_path`` is the public path of the site, "/shop", if a mapped custom domain
    or a proxy adds one that the event does not contain; "/" means that the site is at
    the root, regardless of the event. ``scheme`` is that of API Gateway and Function
    URLs: "https", except in local emulators. The client is the
    ``trusted_proxies``-th entry from the right in X-Forwarded-For; with 1 it is the
    address that has connected to AWS. A Function URL cuts that header: there, the
    client is in CloudFront-Viewer-Address, of requests whose X-Origin-Secret is
    ``origin_secret``. A request is interrupted ``deadline_margin`` seconds before
    Lambda's timeout. With ``streaming``, all REST APIs and Function URLs in front of
    the function are configured for streamed responses (docs/streaming.md).
    ``answer_error`` makes the response for what the application cannot answer, and
    ``status_of`` returns the status for an exception of it. ``after_failure`` is called
    when the application has failed, also while its response is read, or has hidden
    the interrupt. Raises ValueError if an option is invalid.

    In its environ the application finds ``aws_lambda.request_id``,
    ``aws_lambda.event_source``, the limits ``aws_lambda.limit_bytes``, of the result
    as JSON, or ``aws_lambda.streams`` if it is streamed, and
    ``aws_lambda.upload_limit``, of a file as text ("4.5 MB"), and
    ``aws_lambda.invocation`` (1 for the first request of this execution environment),
    besides what apig-wsgi puts there.

    The function raises UnsupportedEvent for an event that is not a web request.
    Otherwise it returns a result, even if the application raises: a Payload if the
    invocation has something that comes after its answer, and a Stream if it is to be
    streamed.
    """
    if base_path and not re.fullmatch(BASE_PATH, base_path):
        raise ValueError(f"base_path must be like /shop, not {base_path!r}")
    if scheme not in ("http", "https"):
        raise ValueError(f"scheme must be http or https, not {scheme!r}")
    if trusted_proxies < 1:
        raise ValueError(f"trusted_proxies must be at least 1, not {trusted_proxies}")
    if origin_secret and not re.fullmatch(ORIGIN_SECRET, origin_secret):
        raise ValueError(
            "origin_secret must be at least 32 letters, digits or signs, without spaces"
        )
    options = Options(base_path, scheme, trusted_proxies, origin_secret)
    run_wsgi = make_runner(application)

    def serve(invocation: Invocation) -> Result | Payload | Stream:
        event = invocation.event
        source, request = read(event, options)
        streams = streaming and source.streams
        if streams and invocation.afterwards is None:
            warn_about_buffering()
            streams = False
        # A load balancer gives requests no ID; Lambda gives one to each
        # invocation, and the console's test event has neither.
        identifier = request.request_id or invocation.request_id or uuid4().hex
        request_id.set(identifier)
        if (size := body_size(event)) > source.limit_bytes:
            # AWS rejects it itself; local emulators do not.
            logger.warning(
                "The request body is %s bytes in the event. %s accepts %s bytes.",
                *(f"{size:,}", source.name, f"{source.limit_bytes:,}"),
            )
            message = (
                f"The request is too large. Files up to {source.upload_limit} fit."
            )
            response = answer_error(request, 413, identifier, None, message)
        elif request.has_nul:
            logger.warning("Status 400 for %s: NUL in the URL", _describe(request))
            response = answer_error(request, 400, identifier, None, None)
        else:
            response = run(invocation, source, request, identifier, streams=streams)
        facts = access_facts.get()
        if facts is not None:
            facts["method"] = request.method
        if streams:
            return stream(invocation, source, request, response, identifier)
        write = write_result if invocation.afterwards is None else write_payload
        conform(response, request.method)
        result = write(source.write(event, response), response)
        if message := size_error(source, response, result):
            logger.error("%s", message)
            response = too_large(request, identifier)
            result = write(source.write(event, response), response)
        if facts is not None:
            facts["status"] = response.status
            facts["response_bytes"] = len(response.body)
        return result

    def too_large(request: Request, identifier: str) -> Response:
        response = answer_error(
            request, 500, identifier, "response_too_large", TOO_LARGE
        )
        conform(response, request.method)
        return response

    def stream(
        invocation: Invocation,
        source: EventSource,
        request: Request,
        response: Response,
        identifier: str,
    ) -> Stream:
        conform(response, request.method)
        prelude = write_prelude(source.write(invocation.event, response))
        if message := stream_error(source, response, prelude):
            logger.error("%s", message)
            if response.rest:
                invocation.after_answer(response.rest.close)
            response = too_large(request, identifier)
            prelude = write_prelude(source.write(invocation.event, response))
        facts = access_facts.get()
        facts = {} if facts is None else facts
        facts["status"] = response.status
        facts["response_bytes"] = len(response.body)
        result = Stream(
            prelude,
            response,
            invocation,
            deadline_margin,
            described=_describe(request),
            after_failure=after_failure,
            facts=facts,
        )
        invocation.after_answer(result.end)
        return result

    def run(
        invocation: Invocation,
        source: EventSource,
        request: Request,
        identifier: str,
        *,
        streams: bool,
    ) -> Response:
        own: dict[str, Any] = {
            "aws_lambda.request_id": identifier,
            "aws_lambda.event_source": source.name,
            "aws_lambda.upload_limit": source.upload_limit,
        }
        if streams:
            own["aws_lambda.streams"] = True
        else:
            own["aws_lambda.limit_bytes"] = source.limit_bytes
        deadline = guard(invocation.remaining_ms, deadline_margin)
        try:
            with deadline:
                response = run_wsgi(request, invocation, own, streams)
        except BaseException as error:
            # SystemExit and asyncio's CancelledError, too: they would end the
            # runtime, and the execution environment with it.
            if deadline.exceeded or isinstance(error, DeadlineExceeded):
                return out_of_time(request, identifier, error)
            return failed(request, identifier, error)
        if deadline.exceeded:
            # The application has caught the interrupt.
            cancel_coroutines()
        # It may have turned the interrupt into an error of its own.
        if deadline.exceeded and response.status >= 500 and response.status != 504:
            if response.rest:
                invocation.after_answer(response.rest.close)
            return out_of_time(request, identifier, None)
        return response

    def out_of_time(
        request: Request, identifier: str, error: BaseException | None
    ) -> Response:
        cancel_coroutines()
        after_failure()
        logger.error(
            "Deadline exceeded in %s",
            _describe(request),
            exc_info=error,
            extra={"metrics": {"DeadlineHits": 1}},
        )
        return answer_error(request, 504, identifier, None, None)

    def failed(request: Request, identifier: str, error: BaseException) -> Response:
        status = status_of(error)
        if status < 500:
            logger.warning("Status %s for %s: %s", status, _describe(request), error)
        else:
            after_failure()
            described = _describe(request)
            logger.error("The application failed on %s", described, exc_info=error)
        return answer_error(request, status, identifier, None, None)

    return serve


def read(event: Event, options: Options) -> tuple[EventSource, Request]:
    """Return the event source and the request, or raise UnsupportedEvent."""
    source = find_event_source(event)
    if source is None:
        raise refusal(event, "http", "web requests")
    try:
        request = source.read(event, options)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UnsupportedEvent(
            f"This looks like a web request through {source.name}, but it does not "
            f"have the documented shape ({type(error).__name__})."
        ) from error
    # A client may have sent it, and a site trusts it by SECURE_PROXY_SSL_HEADER.
    request.headers["HTTP_X_FORWARDED_PROTO"] = request.scheme
    return source, request


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


def size_error(
    source: EventSource, response: Response, result: Result | Payload
) -> str:
    """Return what is too large for the event source, as a sentence, or ""."""
    limit = source.limit_bytes
    if (size := _size(result, response, limit)) > limit:
        return (
            f"The response is {size:,} bytes as JSON. The limit of {source.name} "
            f"is {limit:,} bytes. Redirect to a signed storage URL instead."
        )
    return headers_error(source, response)


def headers_error(source: EventSource, response: Response) -> str:
    """Return that the headers are too large for the event source, or ""."""
    header_limit = source.header_limit_bytes
    if header_limit and (size := header_bytes(response, header_limit)):
        return (
            f"The response headers are {size:,} bytes. The limit of {source.name} is "
            f"{header_limit:,} bytes. Set fewer or smaller cookies and headers."
        )
    return ""


def stream_error(source: EventSource, response: Response, prelude: bytes) -> str:
    """Return what is too large for a streamed response, as a sentence, or ""."""
    length = response.headers.get("content-length", "")
    size = max(len(response.body), int(length) if length.isdecimal() else 0)
    if size > MAX_STREAM_BYTES:
        return (
            f"The response is {size:,} bytes. Lambda streams at most "
            f"{MAX_STREAM_BYTES:,} bytes. Redirect to a signed storage URL instead."
        )
    limit = source.prelude_limit_bytes
    if limit and len(prelude) > limit:
        return (
            f"The response headers are {len(prelude):,} bytes as JSON. {source.name} "
            f"reads {limit:,} bytes of it before a streamed response. Set fewer or "
            "smaller cookies and headers."
        )
    return headers_error(source, response)


@cache
def warn_about_buffering() -> None:
    logger.warning(
        "LAMBDA_STREAMING is on, but the runtime client does not stream, so responses "
        "are buffered. On this machine that is expected. On Lambda clients get an "
        "error: set runtime to own, and let nothing wrap the handler "
        "(docs/streaming.md)."
    )


def _size(result: Result | Payload, response: Response, limit: int) -> int:
    """Return the bytes of the result as JSON, or 0 if it is far below the limit."""
    if isinstance(result, dict):
        # JSON writes a control character as six. Headers never exceed the other half.
        longest = 1 if result["isBase64Encoded"] else 6
        if longest * len(result["body"]) <= limit // 2:
            return 0
        return result_bytes(result, response.body)
    return sum(map(len, result))
