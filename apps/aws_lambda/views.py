"""
Error views: JSON for programs, a page for browsers, both with the request ID.

A URLconf sets its ``handler400`` to ``handler500`` to the first four views,
CSRF_FAILURE_VIEW names the fifth, and AXES_LOCKOUT_CALLABLE the sixth.
"""

import logging
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from traceback import walk_tb
from typing import Any

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    MiddlewareNotUsed,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.http.response import HttpResponseBase
from django.template import Engine, Template, TemplateDoesNotExist, loader
from django.template.context import Context
from django.utils.cache import patch_vary_headers
from django.utils.module_loading import import_string

from .http.errors import ErrorWriter, error_body, json_error
from .http.request import Request
from .http.response import Response
from .invocation import request_id

logger = logging.getLogger(__name__)

# Middleware that adds headers to any response, and does nothing else: a browser hides
# an error without the CORS headers from the script that made the request.
HEADER_MIDDLEWARE = {
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
}

# Where Django reads what the client sent, and nothing that the site has set.
READERS = {
    WSGIRequest.__init__.__code__,
    vars(HttpRequest)["accepted_types"].func.__code__,
    # Called by request.POST and request.FILES, and by Django REST framework.
    MultiPartParser.parse.__code__,
    # The query in the client's charset, which may not have its characters.
    QueryDict.urlencode.__code__,
}
# The modules that they call, besides those of Python.
PARSERS = ("django.core.handlers.wsgi", "django.http.", "django.utils.")
# What they raise for charsets, for parameters of headers, and for bytes and text.
READ_ERRORS = (LookupError, TypeError, ValueError)


def error_response(
    request: HttpRequest,
    status: int,
    *,
    error: str | None = None,
    message: str | None = None,
    template: str | None = None,
) -> HttpResponse:
    """
    Return the error as a page if the client asks for HTML, else as JSON.

    A browser names text/html in Accept. A program that sends ``*/*``, or no Accept
    header, gets JSON. The project's own page wins: ``template``, or "404.html" and the
    like, which finds ``error`` and ``request_id`` in its context.
    """
    identifier = request_id.get()
    body = error_body(status, identifier, error=error, message=message)
    if not prefers_html(request):
        response: HttpResponse = JsonResponse(body, status=status)
    else:
        nonce = getattr(request, "_csp_nonce", None)
        context = {"error": body, "request_id": identifier, "csp_nonce": nonce}
        page = own_page(template or f"{status}.html", request, context)
        if page is None:
            page = built_in_page().render(Context(context))
        response = HttpResponse(page, status=status)
    response["X-Request-ID"] = identifier
    return never_cached(response)


def prefers_html(request: HttpRequest) -> bool:
    """Return whether the client does, by an Accept header that Django can read."""
    try:
        preferred = request.get_preferred_type(["application/json", "text/html"])
    except READ_ERRORS:
        return False
    return preferred == "text/html"


def own_page(name: str, request: HttpRequest, context: dict[str, Any]) -> str | None:
    """Return the project's error page; None if it has none, or it fails."""
    try:
        template = loader.get_template(name)
        # As Django does. After other errors a context processor may need what has just
        # failed, above all the database.
        usable = request if name in ("403.html", "404.html") else None
        return template.render({**context, "request_path": request.path}, usable)
    except TemplateDoesNotExist:
        return None
    except Exception:
        logger.exception("Could not render the template %s", name)
        return None


@cache
def built_in_page() -> Template:
    """Return the page of this app, which needs no template loader."""
    path = Path(__file__).with_name("templates") / "aws_lambda" / "error.html"
    return Engine().from_string(path.read_text())


def raised_while_reading(error: BaseException) -> bool:
    """
    Return whether the exception was raised while Django read what the client sent.

    Django does not check all of it: the charset "hex" is a LookupError, and a broken
    parameter of a header is a TypeError of Python's email package. The same exception
    is the site's if its own code was called in between, such as an upload handler.
    """
    if not isinstance(error, READ_ERRORS):
        return False
    reading = False
    for frame, _ in walk_tb(error.__traceback__):
        module: str = frame.f_globals.get("__name__", "")
        if frame.f_code in READERS:
            reading = True
        elif not module.startswith(PARSERS):
            reading &= module.partition(".")[0] in sys.stdlib_module_names
    return reading


def status_of(error: BaseException | None) -> int:
    """Return the status for an exception that Django does not answer, or for None."""
    if isinstance(error, RequestDataTooBig):
        return 413
    if isinstance(error, BadRequest | MultiPartParserError | SuspiciousOperation):
        return 400
    return 400 if error and raised_while_reading(error) else 500


class ErrorRequest(HttpRequest):
    """A request that did not reach Django, as far as an error response needs it."""

    def __init__(self, request: Request) -> None:
        super().__init__()
        self.method = request.method
        self.path = request.script_name + request.path_info
        self.path_info = request.path_info
        self.META = {
            **request.headers,
            "REQUEST_METHOD": request.method,
            "SERVER_NAME": request.host or "localhost",
            "SERVER_PORT": "443" if request.scheme == "https" else "80",
            "REMOTE_ADDR": request.client,
        }
        self._scheme = request.scheme

    def _get_scheme(self) -> str:
        return self._scheme


def make_error_writer() -> ErrorWriter:
    """
    Return what writes the errors that do not come out of Django.

    They look like all others: a page or JSON, with the headers that the site's
    middleware adds to every response.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        status, error, message = request.META["aws_lambda.error"]
        return error_response(request, status, error=error, message=message)

    get_response: Callable[[HttpRequest], HttpResponseBase] = answer
    for path in reversed(settings.MIDDLEWARE):
        middleware = import_string(path)
        names = {
            f"{cls.__module__}.{cls.__qualname__}"
            for cls in getattr(middleware, "__mro__", ())
        }
        if names & HEADER_MIDDLEWARE:
            try:
                get_response = middleware(get_response)
            except MiddlewareNotUsed:
                continue

    def write(
        request: Request,
        status: int,
        identifier: str,
        error: str | None,
        message: str | None,
    ) -> Response:
        try:
            django_request = ErrorRequest(request)
            django_request.META["aws_lambda.error"] = status, error, message
            response = get_response(django_request)
            if response.status_code != status:
                # A preflight request, or a redirect to HTTPS: not an error any more.
                return json_error(request, status, identifier, error, message)
            headers = {name.lower(): value for name, value in response.headers.items()}
            content: bytes = getattr(response, "content", b"")
            return Response(response.status_code, headers, [], content)
        except Exception:
            logger.exception("The error page for status %s failed", status)
            return json_error(request, status, identifier, error, message)

    return write


def never_cached(response: HttpResponse) -> HttpResponse:
    """Keep caches from sending one client's error, and its request ID, to others."""
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["Accept"])
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 413 to a body over DATA_UPLOAD_MAX_MEMORY_SIZE, else 400."""
    status = 413 if isinstance(exception, RequestDataTooBig) else 400
    return error_response(request, status)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, 403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return error_response(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 400 if a middleware could not read the request, else 500."""
    return error_response(request, status_of(sys.exception()))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Explain how to fix a CSRF failure. Django has already logged the reason."""
    return error_response(
        request,
        403,
        error="csrf_failed",
        template="403_csrf.html",
        message=(
            "The form could not be verified. Reload the page and send it again; "
            "your browser must accept cookies from this site."
        ),
    )


def too_many_attempts(
    request: HttpRequest, original: HttpResponse, credentials: dict[str, str]
) -> HttpResponse:
    """Answer a login that django-axes has locked out."""
    return error_response(request, 429)
