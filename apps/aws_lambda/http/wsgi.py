"""
Run a WSGI application through apig-wsgi.

apig-wsgi is the adapter between Lambda and WSGI, and its environ is the one that
users know: the constants of PEP 3333, and its own keys. One handler of it serves all
requests. It receives a request that has nothing, because what it does with an event
depends on the event source and is wrong on some of them (docs/event-sources.md): what
the request has is put into the environ after it. The response does not pass through
it: it would copy and encode the body a second time.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING, Any

from apig_wsgi import make_lambda_handler

from ..invocation import Invocation
from .request import Request, split_host
from .response import Headers, Response, Rest, read_wsgi

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

BLOCK_BYTES = 256 * 1024

# As an event of payload format 2.0.
NOTHING = {
    "version": "2.0",
    "rawPath": "/",
    "rawQueryString": "",
    "headers": {},
    "requestContext": {"http": {"method": "", "protocol": "", "sourceIp": ""}},
}

# Named, because Python evaluates the annotations of an inner function each time.
Write = Callable[[bytes], object]


class FileBlocks:
    """
    Read a file in large blocks: PEP 3333's ``wsgi.file_wrapper``.

    The application's own block size is that of a web server's buffer, 4 KiB in Django.
    """

    def __init__(self, file: Any, block_size: int = 0) -> None:
        self.file = file
        # For what serves the file in another way; PEP 3333 requires it.
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(partial(self.file.read, BLOCK_BYTES), b"")


class Exchange:
    """
    A request on its way through apig-wsgi, and its response on the way back.

    It travels as the context, so one handler serves all requests, also one inside of
    another. ``own`` is what else the environ is to have.
    """

    __slots__ = ("invocation", "own", "produce", "request", "response")

    response: Response

    def __init__(
        self,
        request: Request,
        invocation: Invocation,
        own: dict[str, Any],
        streams: bool,
    ) -> None:
        self.request, self.invocation, self.own = request, invocation, own
        self.produce = begin if streams else collect


def make_runner(
    application: "WSGIApplication",
) -> Callable[[Request, Invocation, dict[str, Any], bool], Response]:
    """
    Return a function that runs the application, with one apig-wsgi handler for all.

    It takes the request, the invocation, what else the environ is to have, and whether
    the response is streamed. It returns the application's response: the whole, or if
    it is to be streamed, its beginning and the rest. It raises what the application
    raises, also while that is read, and ValueError or TypeError if the response breaks
    the rules of PEP 3333.
    """

    def adapted(
        environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        exchange: Exchange = environ["apig_wsgi.context"]
        complete(environ, exchange)
        exchange.response = exchange.produce(application, environ, exchange.invocation)
        start_response("200 OK", [])
        return ()

    handler = make_lambda_handler(adapted)

    def run(
        request: Request, invocation: Invocation, own: dict[str, Any], streams: bool
    ) -> Response:
        exchange = Exchange(request, invocation, own, streams)
        handler(NOTHING, exchange)
        return exchange.response

    return run


def complete(environ: "WSGIEnvironment", exchange: Exchange) -> None:
    """Put the request into the environ that apig-wsgi has made."""
    request, invocation = exchange.request, exchange.invocation
    name, port = split_host(request.host)
    # apig-wsgi sets it whether there are cookies or not.
    environ.pop("HTTP_COOKIE", None)
    environ |= request.headers
    environ |= exchange.own
    environ["REQUEST_METHOD"] = request.method
    environ["SCRIPT_NAME"] = request.script_name
    environ["PATH_INFO"] = request.path_info
    environ["QUERY_STRING"] = request.query
    environ["CONTENT_LENGTH"] = str(len(request.body))
    environ["REMOTE_ADDR"] = request.client
    environ["SERVER_NAME"] = name or "localhost"
    environ["SERVER_PORT"] = port or ("80" if request.scheme == "http" else "443")
    environ["SERVER_PROTOCOL"] = request.protocol
    environ["wsgi.file_wrapper"] = FileBlocks
    environ["wsgi.input"] = BytesIO(request.body)
    environ["wsgi.url_scheme"] = request.scheme
    environ["apig_wsgi.context"] = invocation.context
    environ["apig_wsgi.full_event"] = invocation.event
    environ["apig_wsgi.request_context"] = invocation.event["requestContext"]
    environ["aws_lambda.invocation"] = invocation.number


def collect(
    application: "WSGIApplication", environ: "WSGIEnvironment", invocation: Invocation
) -> Response:
    """
    Run the application to its end, and return its response.

    Lambda takes a response in one piece, so an application that fails in
    mid-stream can still get an error response. A complete response is closed after
    the answer, where the runtime client allows that.
    """
    status = ""
    headers: Headers = []
    chunks: list[bytes] = []

    def start_response(
        new_status: str, new_headers: Headers, exc_info: Any = None
    ) -> Write:
        nonlocal status, headers
        if exc_info:
            # What was written belongs to the response that failed.
            chunks.clear()
        status, headers = new_status, new_headers
        return chunks.append

    body = application(environ, start_response)
    close: Callable[[], object] | None = getattr(body, "close", None)
    try:
        chunks.extend(body)
        response = read_wsgi(status, headers, b"".join(chunks))
    except BaseException:
        if close:
            close()
        raise
    if close:
        invocation.after_answer(close)
    return response


def begin(
    application: "WSGIApplication", environ: "WSGIEnvironment", invocation: Invocation
) -> Response:
    """
    Run the application up to the first bytes of its body, and return its response.

    Until then a failure can get an error response, because no header was sent. What
    the application still makes is the rest of the response. There is none if the
    body is in memory, is complete by its Content-Length, or is not sent at all.
    """
    status = ""
    headers: Headers = []
    written: list[bytes] = []
    begun = False

    def start_response(
        new_status: str, new_headers: Headers, exc_info: Any = None
    ) -> Write:
        nonlocal status, headers
        if exc_info:
            if begun:
                raise exc_info[1]
            written.clear()
        status, headers = new_status, new_headers
        return written.append

    body = application(environ, start_response)
    close: Callable[[], object] = getattr(body, "close", _nothing)
    # Django's attribute of every response: whether the body is made as it is read.
    whole = isinstance(body, list | tuple) or not getattr(body, "streaming", True)
    try:
        chunks = _chunks(body, written)
        if whole:
            chunks = iter([b"".join(chunks)])
        # An application may start its response with the first chunk only.
        first = next(chunks, b"")
        response = read_wsgi(status, headers, first)
    except BaseException:
        close()
        raise
    begun = True
    whole = whole or response.headers.get("content-length") == str(len(response.body))
    bodiless = environ["REQUEST_METHOD"] == "HEAD" or response.status in (204, 304)
    if not (whole or bodiless):
        response.rest = Rest(chunks, close)
        return response
    invocation.after_answer(close)
    if not whole:
        # The beginning has not the length of the body.
        response.body = b""
    return response


def _nothing() -> None:
    """Close a body that has no method for it."""


def _chunks(body: Iterable[bytes], written: list[bytes]) -> Iterator[bytes]:
    """Return what the body and ``write()`` produce, without what is empty."""
    for chunk in body:
        if written:
            yield b"".join(written)
            written.clear()
        if chunk:
            # A TypeError for text.
            yield b"".join((chunk,))
    if written:
        yield b"".join(written)
