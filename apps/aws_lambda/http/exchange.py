"""One request and its response, on the way through a WSGI application."""

import json
import logging
from collections.abc import Callable
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..deadline import DeadlineExceeded, disarm
from ..events import Event
from ..invocation import Invocation
from .errors import error_body
from .request import Request, split_host
from .response import Headers, Response, read_wsgi

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

# Named, because Python evaluates the annotations of an inner function each time.
Write = Callable[[bytes], object]


class Exchange:
    """Repairs the environ, runs the application, and keeps what it answered."""

    def __init__(
        self, request: Request, invocation: Invocation, *, event_source: str
    ) -> None:
        self.request = request
        self.invocation = invocation
        self.event_source = event_source
        # A load balancer gives requests no ID; Lambda gives one to each
        # invocation, and the console's test event has neither.
        self.request_id: str = (
            request.request_id
            or getattr(invocation.context, "aws_request_id", None)
            or uuid4().hex
        )
        self.response: Response

    def adapter_event(self) -> Event:
        """
        Return the request as apig-wsgi is to see it, with the exchange in it.

        Without headers: it would go through them once more.
        """
        request = self.request
        return {
            "version": "2.0",
            "rawPath": "/",
            "rawQueryString": request.query,
            "headers": {},
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
                "aws_lambda.event_source": self.event_source,
                "aws_lambda.invocation": self.invocation.number,
            }
        )
        # apig-wsgi sets it whether there are cookies or not.
        del environ["HTTP_COOKIE"]
        environ.update(request.headers)

    def run(self, application: "WSGIApplication", environ: "WSGIEnvironment") -> None:
        """
        Run the application to its end and keep the whole response.

        Lambda takes a response in one piece, so an application that fails in
        mid-stream can still be answered for. Whatever is not an Exception is caught
        too (SystemExit, asyncio's CancelledError): it would end the runtime, and the
        execution environment with it.
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

        try:
            body = application(environ, start_response)
            try:
                chunks.extend(body)
            finally:
                close = getattr(body, "close", None)
                if close:
                    close()
            self.response = read_wsgi(status, headers, b"".join(chunks))
        except DeadlineExceeded:
            disarm()
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
        if self.request.method == "HEAD" or self.response.status in (204, 304):
            self.response = self.response._replace(body=b"")

    def _what(self) -> str:
        path = self.request.path_info.encode("latin-1").decode(errors="replace")
        return f"{self.request.method} {path!r}"

    def answer_error(
        self, status: int, *, error: str | None = None, message: str | None = None
    ) -> None:
        """Replace the response by an error that tells the client the request ID."""
        body = error_body(status, self.request_id, error=error, message=message)
        headers = {
            "content-type": "application/json",
            "cache-control": "no-store",
            "x-request-id": self.request_id,
        }
        self.response = Response(status, headers, [], json.dumps(body).encode())
