"""
All middleware: request ID, access log, traces, deadline, compression, exceptions,
origin secret, cookie path, uploads.

MIDDLEWARE has them in the order in which they are here.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core import signals
from django.core.exceptions import (
    BadRequest,
    ImproperlyConfigured,
    MiddlewareNotUsed,
    PermissionDenied,
    SuspiciousOperation,
)
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    StreamingHttpResponse,
)
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase, ResponseHeaders
from django.middleware.gzip import GZipMiddleware
from django.urls import is_valid_path
from django.utils.cache import patch_vary_headers
from django.utils.log import log_response

from . import conf
from .database.connections import discard_interrupted_connections
from .deadline import DeadlineExceeded, cancel_coroutines, disarm, exceeded
from .http.request import has_origin_secret
from .http.response import is_text_type
from .invocation import access_facts, request_id, web_request
from .observability.queries import Queries, counted_queries
from .uploads import PREFIX as UPLOADS
from .views import error_response, raised_while_reading

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponseBase]

# Django answers these itself, with 400, 403 or 404, through the URLconf's
# handlers; a view raises them for an invalid request.
CLIENT_ERRORS = (
    BadRequest,
    Http404,
    MultiPartParserError,
    PermissionDenied,
    SuspiciousOperation,
)

# Smaller ones fit into a packet or two, which is where CloudFront starts, too.
MIN_BYTES = 1000
BLOCK_BYTES = 64 * 1024
# GZipMiddleware looks for the word only.
GZIP_REFUSED = r"(?i)\bgzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)"


class RequestIDMiddleware:
    """
    Give each request an ID that its logs and its response share.

    The gateway's ID wins. One that the client sends is ignored, because a caller
    must not be able to forge the string that the logs are searched for.
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


class AccessLogMiddleware:
    """
    Add the route and the database queries to the access line of the request.

    The route ("documents/<int:pk>/") and not the path: a path holds what a client
    typed, and there are too many of them for a metric. Place it right after
    RequestIDMiddleware. The handler writes the line when it has the result, so there
    is no line outside of Lambda. What a stream asks for while it is made counts, too.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        facts = access_facts.get()
        if facts is None:
            return self.get_response(request)
        try:
            with counted_queries() as queries:
                response = self.get_response(request)
        finally:
            if match := request.resolver_match:
                facts["route"] = f"/{match.route}"
            note(queries, facts)
        # An asynchronous one has connections of its own, and a file no queries.
        if (
            isinstance(response, StreamingHttpResponse)
            and not isinstance(response, FileResponse)
            and not response.is_async
        ):
            chunks = counted_chunks(iter(response), queries, facts)
            response.streaming_content = chunks
        return response


def counted_chunks(
    chunks: Iterable[bytes], queries: Queries, facts: dict[str, Any]
) -> Iterator[bytes]:
    """Yield the chunks of a stream, and add its queries to those of its view."""
    try:
        with counted_queries(queries):
            yield from chunks
    finally:
        note(queries, facts)


def note(queries: Queries, facts: dict[str, Any]) -> None:
    facts["queries"], facts["queries_ms"] = queries.count, queries.ms


class TracingMiddleware:
    """
    Record each request that X-Ray samples, its queries and its calls to other services.

    Place it right after the access log, outside middleware that can fail or be slow. It
    removes itself unless LAMBDA_TRACING is on and this is Lambda.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        if not conf.get("LAMBDA_TRACING"):
            raise MiddlewareNotUsed
        from .observability import xray

        if not xray.start():
            raise MiddlewareNotUsed
        self.trace = xray.trace_request

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.trace(self.get_response, request)


class DeadlineMiddleware:
    """
    Answer a request that exceeds the deadline, inside Django.

    Its transaction is rolled back when the interrupt arrives here, or the exception
    that has replaced it. Place it inside the access log.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        error: BaseException | None = None
        try:
            response = self.get_response(request)
        except BaseException as raised:
            if not (exceeded() or isinstance(raised, DeadlineExceeded)):
                raise
            error = raised
        else:
            # Any other response was made in spite of the interrupt.
            if not exceeded() or response.status_code < 500:
                return response
        # Do not interrupt the error page.
        disarm()
        cancel_coroutines()
        match = request.resolver_match
        logger.error(
            "Deadline exceeded in %s",
            match.view_name if match else "no view",
            exc_info=error,
            extra={
                "route": f"/{match.route}" if match else "(none)",
                "metrics": {"DeadlineHits": 1},
            },
        )
        discard_interrupted_connections()
        return error_response(request, 504)


class CompressionMiddleware(GZipMiddleware):
    """
    Compress pages, JSON, CSV and other texts with gzip if the client accepts it.

    Neither HTTP APIs and Function URLs nor load balancers do. It is Django's
    GZipMiddleware, with its random bytes against BREACH, for what it is right for: not
    for images, archives, event streams, parts (206), files, which WhiteNoise has
    compressed, and responses with ``Cache-Control: no-transform``.

    Place it inside the deadline, and outside all middleware that reads or changes the
    body. It removes itself if LAMBDA_COMPRESSION is off.
    """

    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        if not conf.get("LAMBDA_COMPRESSION"):
            raise MiddlewareNotUsed
        super().__init__(get_response)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        if not is_compressible(response):
            return response
        if request.META.get("aws_lambda.streams") and is_watched(response):
            return response
        patch_vary_headers(response, ("Accept-Encoding",))
        accepted = request.META.get("HTTP_ACCEPT_ENCODING", "")
        if "gzip" not in accepted:
            return response
        # Browsers send no weights.
        if ";" in accepted and re.search(GZIP_REFUSED, accepted):
            return response
        if not isinstance(response, HttpResponse):
            if isinstance(response, StreamingHttpResponse) and not response.is_async:
                response.streaming_content = blocks(iter(response))
            return super().process_response(request, response)
        content, headers = response.content, response.headers
        response.headers = ResponseHeaders(headers)
        super().process_response(request, response)
        # It travels to the event source as base64, which the limit counts.
        if 4 * len(response.content) > 3 * len(content):
            response.content, response.headers = content, headers
        return response


def is_compressible(response: HttpResponseBase) -> bool:
    """Return whether a response is a text that is worth compressing, and may be."""
    if isinstance(response, HttpResponse) and len(response.content) < MIN_BYTES:
        return False
    media_type = response.get("Content-Type", "").partition(";")[0].strip().lower()
    return (
        is_text_type(media_type)
        # Each event must leave at once.
        and media_type != "text/event-stream"
        and not isinstance(response, FileResponse)
        and not response.has_header("Content-Encoding")
        and not response.has_header("Content-Range")
        and "no-transform" not in response.get("Cache-Control", "").lower()
    )


def is_watched(response: HttpResponseBase) -> bool:
    """
    Return whether someone may read the chunks of a stream as they arrive.

    The compressor would hold them back. A download is read when it is complete.
    """
    disposition = response.get("Content-Disposition", "").strip().lower()
    return response.streaming and not disposition.startswith("attachment")


def blocks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """
    Join chunks, such as the rows of a CSV file, to blocks.

    Django flushes the compressor after each, which costs time and bytes.
    """
    block, size = [], 0
    for chunk in chunks:
        block.append(chunk)
        size += len(chunk)
        if size >= BLOCK_BYTES:
            yield b"".join(block)
            block, size = [], 0
    if block:
        yield b"".join(block)


class ExceptionMiddleware:
    """
    Answer an exception of a view with the request ID, and log it in full.

    A program gets JSON and a browser gets a page, by the Accept header. With DEBUG
    on, Django shows its own page with the traceback instead. An exception that Django
    raises while it reads the request, which it does when the view asks for its data, is
    a BadRequest.

    Place it near the front: Django calls the last middleware's process_exception
    first, and one of the project's own may have a better answer.

    Errors raised outside a view (another middleware, the URL resolver) do not pass
    through it: Django calls the URLconf's handler400, handler403, handler404 and
    handler500 for them. Set those to the views of this app.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: object, args: object, kwargs: object
    ) -> None:
        """
        Raise BadRequest for a charset that is not a character encoding.

        CsrfViewMiddleware would fail next, at the form: Django reports its exception
        to error reporters before it calls handler500.
        """
        charset = request.encoding
        if charset and not is_character_encoding(charset):
            raise BadRequest(f"The charset {charset!r} is not a character encoding")

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        if raised_while_reading(exception):
            name = type(exception).__name__
            raise BadRequest(f"Cannot read the request ({name})") from exception
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


@lru_cache(maxsize=256)
def is_character_encoding(charset: str) -> bool:
    """
    Return whether text in this charset can be decoded, and encoded as UTF-8 again.

    Django accepts all codecs of Python. Some do not decode bytes to text, such as hex
    and rot13. Others may decode to unpaired surrogates, and neither a response nor
    PostgreSQL accepts those: unicode_escape, punycode and UTF-7.
    https://docs.python.org/3/library/codecs.html#python-specific-encodings
    """
    try:
        b"\xff".decode(charset, "replace")
        "\ud800".encode(charset)
    except UnicodeEncodeError:
        return True
    except (LookupError, UnicodeError):
        return False
    return False


class OriginSecretMiddleware:
    """
    Answer 403 to a request without LAMBDA_ORIGIN_SECRET in X-Origin-Secret.

    The proxy in front, such as CloudFront, adds that header. A request that bypasses
    the proxy bypasses its WAF, and can write the client's address itself.

    Place it after the middleware that logs requests and answers exceptions, and before
    any that answers requests, health checks included. Raises ImproperlyConfigured if
    there is no secret.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        self.secret: str = conf.get("LAMBDA_ORIGIN_SECRET")
        if not self.secret:
            raise ImproperlyConfigured(
                "MIDDLEWARE has OriginSecretMiddleware, but LAMBDA_ORIGIN_SECRET is "
                "empty. Set it to what CloudFront sends in X-Origin-Secret, or remove "
                "the middleware: docs/event-sources.md"
            )

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if has_origin_secret(request.META, self.secret):
            return self.get_response(request)
        return error_response(
            request,
            403,
            error="origin_denied",
            message="This address is not public. Use the site's own address.",
        )


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


class UploadMiddleware:
    """
    Serve the views of direct uploads, and let widgets know the user.

    Django finds the views in a URLconf of their own, so that the CSRF protection and
    other middleware apply to them.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        urlconf = f"{__package__}.uploads.urls"
        path = request.path_info
        # The site's own URLconf has the page for a path that does not exist.
        if path.startswith(f"/{UPLOADS}") and is_valid_path(path, urlconf):
            request.urlconf = urlconf
        before = web_request.set(request)
        try:
            # A TemplateResponse is rendered before it returns.
            return self.get_response(request)
        finally:
            web_request.reset(before)
