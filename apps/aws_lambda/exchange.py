"""One request and its response, on the way through a WSGI application."""

import json
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .context import Invocation
from .deadline import DeadlineExceeded
from .errors import error_body
from .events import Event
from .request import Request, from_wsgi, is_header_name, split_host

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

# The doors take no 1xx.
STATUS = re.compile(r"[2-5][0-9]{2}( |$)")
# A line break would start a header, or a whole response, of the client's making.
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Exchange:
    """Repairs the environ, runs the application, and keeps what it answered."""

    def __init__(self, request: Request, invocation: Invocation, *, door: str) -> None:
        self.request = request
        self.invocation = invocation
        self.door = door
        # A load balancer gives requests no ID; Lambda gives one to each
        # invocation, and the console's test event has neither.
        self.request_id: str = (
            request.request_id
            or getattr(invocation.context, "aws_request_id", None)
            or uuid4().hex
        )
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    def adapter_event(self) -> Event:
        """Return the request as apig-wsgi is to see it, with the exchange in it."""
        request = self.request
        return {
            "version": "2.0",
            "rawPath": "/",
            "rawQueryString": request.query,
            "headers": request.headers,
            "cookies": [request.cookie],
            "requestContext": {
                "http": {
                    "method": request.method,
                    "protocol": request.protocol,
                    "sourceIp": request.client,
                }
            },
            "exchange": self,
        }

    def repair(self, environ: "WSGIEnvironment") -> None:
        """Put right what apig-wsgi leaves out of the environ, or gets wrong."""
        request = self.request
        name, port = split_host(request.host)
        environ.update(
            {
                "SCRIPT_NAME": request.script_name,
                "PATH_INFO": request.path_info,
                "SERVER_NAME": name or "localhost",
                "SERVER_PORT": port or ("80" if request.scheme == "http" else "443"),
                "CONTENT_LENGTH": str(len(request.body)),
                "wsgi.input": BytesIO(request.body),
                "wsgi.url_scheme": request.scheme,
                "apig_wsgi.full_event": self.invocation.event,
                "apig_wsgi.request_context": self.invocation.event["requestContext"],
                "aws_lambda.request_id": self.request_id,
                "aws_lambda.door": self.door,
                "aws_lambda.invocation": self.invocation.number,
            }
        )
        # PEP 3333 gives these two no HTTP_ form.
        environ.pop("HTTP_CONTENT_LENGTH", None)
        environ.pop("HTTP_CONTENT_TYPE", None)
        if "content-type" in request.headers:
            # apig-wsgi keeps what follows the last comma, and a multipart
            # boundary may contain one.
            environ["CONTENT_TYPE"] = request.headers["content-type"]
        if not request.cookie:
            del environ["HTTP_COOKIE"]

    def run(self, application: "WSGIApplication", environ: "WSGIEnvironment") -> None:
        """
        Run the application to its end and keep the whole response.

        Lambda takes a response in one piece, so an application that fails in
        mid-stream can still be answered for. Whatever is not an Exception is caught
        too (SystemExit, asyncio's CancelledError): it would end the runtime, and the
        execution environment with it.
        """
        chunks: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            if exc_info:
                # What was written belongs to the response that failed.
                chunks.clear()
            self.status, self.headers = status, headers
            return chunks.append

        try:
            body = application(environ, start_response)
            try:
                chunks.extend(body)
            finally:
                close = getattr(body, "close", None)
                if close:
                    close()
            self._check()
            self.body = b"".join(chunks)
        except DeadlineExceeded:
            logger.exception(
                "The time was up for %s",
                self._what(),
                extra={"metrics": {"DeadlineHits": 1}},
            )
            self.answer_error(504)
        except BaseException:
            logger.exception("The application failed on %s", self._what())
            self.answer_error(500)
        # https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1
        if self.request.method == "HEAD" or self.status[:3] in ("204", "304"):
            self.body = b""

    def _what(self) -> str:
        path = self.request.path_info.encode("latin-1").decode(errors="replace")
        return f"{self.request.method} {path!r}"

    def _check(self) -> None:
        """Raise ValueError if the application broke the rules of PEP 3333."""
        if not STATUS.match(self.status):
            raise ValueError(f"Not an HTTP status: {self.status!r}")
        values = "".join([value for _, value in self.headers])
        values.encode("latin-1")
        if CONTROL.search(values):
            raise ValueError(f"A control character in the headers {self.headers!r}")
        for name, _ in self.headers:
            if not is_header_name(name):
                raise ValueError(f"Not a header name: {name!r}")

    def joined_headers(self) -> list[tuple[str, str]]:
        """Return the headers with one value a name, but for Set-Cookie."""
        joined: dict[str, str] = {}
        cookies = []
        for name, value in self.headers:
            name, value = name.lower(), from_wsgi(value)
            if name == "set-cookie":
                cookies.append((name, value))
            else:
                joined[name] = f"{joined[name]}, {value}" if name in joined else value
        return [*joined.items(), *cookies]

    def error_result(self) -> dict[str, Any]:
        """Return the error that replaces the response, in payload format 2.0."""
        return {
            "statusCode": int(self.status[:3]),
            "headers": dict(self.headers),
            "cookies": [],
            "body": self.body.decode(),
            "isBase64Encoded": False,
        }

    def answer_error(
        self, status: int, *, error: str | None = None, message: str | None = None
    ) -> None:
        """Replace the response by an error that tells the client the request ID."""
        body = error_body(status, self.request_id, error=error, message=message)
        self.status = f"{status} {HTTPStatus(status).phrase}"
        self.headers = [
            ("content-type", "application/json"),
            ("cache-control", "no-store"),
            ("x-request-id", self.request_id),
        ]
        self.body = json.dumps(body).encode()
