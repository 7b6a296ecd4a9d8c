"""Middleware: the request ID, the answer to an exception, the cookie path."""

import logging
from collections.abc import Callable
from uuid import uuid4

from django.conf import settings
from django.core import signals
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.utils.log import log_response

from .database.connections import discard_interrupted_connections
from .deadline import DeadlineExceeded, disarm
from .invocation import request_id
from .views import error_response

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Django answers these itself, with 400, 403 or 404, through the URLconf's
# handlers; a view raises them to say what is wrong with the request.
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

    The gateway's ID wins. One sent by the client is ignored, because a caller
    must not be able to forge the string we search the logs for.
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


class ExceptionMiddleware:
    """
    Answer an exception of a view with the request ID, and log it in full.

    A program gets JSON and a browser gets a page, by the Accept header. With
    DEBUG on, Django's own page with the traceback is shown instead.

    Place it near the front: Django asks the last middleware first, and one of the
    project's own may have a better answer.

    Errors raised outside a view (another middleware, the URL resolver) do not
    pass here: Django gives them to the URLconf's handler400, handler403,
    handler404 and handler500. Set those to this app's views of the same name.
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


class DeadlineMiddleware:
    """
    Answer a request that ran into the deadline, inside Django.

    The transaction has been rolled back when the interrupt arrives here. Place it
    inside the access log, which then knows the route and how long it took.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        try:
            return self.get_response(request)
        except DeadlineExceeded:
            # The page may take its time.
            disarm()
            match = request.resolver_match
            logger.exception(
                "The time was up in %s",
                match.view_name if match else "no view",
                extra={
                    "route": f"/{match.route}" if match else "(none)",
                    "metrics": {"DeadlineHits": 1},
                },
            )
            discard_interrupted_connections()
            return error_response(request, 504)


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
