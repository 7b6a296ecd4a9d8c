"""
Serve a WSGI application through apig-wsgi, whichever event source a request came by.

apig-wsgi is the adapter between Lambda and WSGI. Every request is given to it
as one kind of event, payload format 2.0, and what that format cannot say is put
right in the environ. Headers, bodies and responses pass it by: it would go
through them once more, and copy and encode bodies more often than is needed.
"""

import logging
import re
from collections.abc import Callable, Iterable
from itertools import count
from typing import TYPE_CHECKING, Any

from apig_wsgi import make_lambda_handler

from ..deadline import MARGIN, DeadlineExceeded, guard
from ..events import Event, UnsupportedEvent, identify
from ..invocation import Invocation, entered, request_id
from .event_sources import EVENT_SOURCES
from .exchange import Exchange
from .incoming import Options, body_size
from .outgoing import Result, excess

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

Handler = Callable[[Event, Any], Result]

BASE_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")


def make_handler(
    wsgi_application: "WSGIApplication",
    *,
    base_path: str = "",
    scheme: str = "https",
    trusted_proxies: int = 1,
    deadline_margin: float = MARGIN,
) -> Handler:
    """
    Return a Lambda handler that serves web requests with the application.

    ``base_path`` is the public path of the site, "/shop", where a mapped custom
    domain or a proxy puts it below one that no event tells; "/" says that the
    site is at the root whatever the event says. ``scheme`` is what API Gateway
    and Function URLs speak: "https" but for a local stand-in. On a load
    balancer the client is the ``trusted_proxies``-th entry from the right in
    X-Forwarded-For. ``deadline_margin`` is how long before Lambda's timeout, in
    seconds, a request is ended. Raises ValueError if one of them cannot be right.

    In its environ the application finds ``aws_lambda.request_id``,
    ``aws_lambda.event_source`` and ``aws_lambda.invocation`` (1 for the first request
    of this execution environment), besides what apig-wsgi puts there.

    The handler raises UnsupportedEvent, and logs it, if the event is no web
    request. Otherwise it returns a result, whatever the application does.
    """
    if not BASE_PATH.fullmatch(base_path):
        raise ValueError(f"base_path must be like /shop, not {base_path!r}")
    if scheme not in ("http", "https"):
        raise ValueError(f"scheme must be http or https, not {scheme!r}")
    if trusted_proxies < 1:
        raise ValueError(f"trusted_proxies must be at least 1, not {trusted_proxies}")
    options = Options(base_path, scheme, trusted_proxies)
    invocations = count(1)

    def application(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        exchange: Exchange = environ["apig_wsgi.full_event"]["exchange"]
        exchange.repair(environ)
        exchange.run(wsgi_application, environ)
        # exchange.response is written; apig-wsgi would go through it once more.
        start_response("200 OK", [])
        return ()

    adapter = make_lambda_handler(application)

    def handler(event: Event, context: Any) -> Result:
        current = Invocation(event, context, next(invocations))
        with entered(current):
            return serve(current)

    def serve(current: Invocation) -> Result:
        event = current.event
        try:
            name = identify(event)
            event_source = EVENT_SOURCES[name]
            try:
                request = event_source.read(event, options).check()
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise UnsupportedEvent(
                    f"This looks like a web request through {name}, but it does not "
                    f"have the documented shape ({type(error).__name__})."
                ) from error
        except UnsupportedEvent as error:
            logger.error("%s", error, exc_info=error.__cause__)
            raise
        exchange = Exchange(request, current, event_source=name)
        request_id.set(exchange.request_id)
        size = body_size(event)
        if size > event_source.limit:
            # Real event sources refuse it themselves; local stand-ins do not.
            message = (
                f"The request body is {size:,} bytes as Lambda takes it, and {name} "
                f"passes {event_source.limit:,} on."
            )
            logger.warning("%s", message)
            exchange.answer_error(413, message=message)
            return event_source.write(event, exchange.response)
        try:
            with guard(current.remaining_ms, deadline_margin):
                adapter(exchange.adapter_event(), current.context)
        except DeadlineExceeded:
            # It struck between the application and us.
            logger.exception("The time was up", extra={"metrics": {"DeadlineHits": 1}})
            exchange.answer_error(504)
        result = event_source.write(event, exchange.response)
        size = excess(result, event_source.limit)
        if size:
            message = (
                f"The response is {size:,} bytes as Lambda returns it, and {name} "
                f"takes {event_source.limit:,}."
            )
            logger.error("%s Redirect to a signed URL of the storage instead.", message)
            exchange.answer_error(500, error="response_too_large", message=message)
            result = event_source.write(event, exchange.response)
        return result

    return handler
