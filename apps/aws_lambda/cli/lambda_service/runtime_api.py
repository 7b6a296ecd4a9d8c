"""
The Lambda Runtime API, for one execution environment on this machine.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html
"""

import base64
import json
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from email.message import Message
from http.client import parse_headers
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread
from typing import Any
from uuid import uuid4

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:site-http"
TRACE = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"
PREFIX = "/2018-06-01/runtime"


class FunctionError(Exception):
    """
    The error that Lambda returns if the function fails.

    ``type`` is the name of the exception, or Lambda's name of the failure, such as
    "Sandbox.Timedout" or "Runtime.ExitError". ``request_id`` is that of the
    invocation, or "" in the init phase.
    """

    request_id = ""

    def __init__(self, type: str, message: str, stack: list[str] | None = None) -> None:  # noqa: A002
        super().__init__(f"{type}: {message}")
        self.type = type
        self.message = message
        self.stack = stack or []


class StreamedResult:
    """
    A result that the function sends while it makes it.

    ``prelude`` is the object before the body: "statusCode", "headers" and so on.
    Iterate it for the chunks of the body, which the function makes no faster than they
    are read. A body that was cut ends with a FunctionError, the one in the trailers or
    "Sandbox.Disconnected". ``close`` ends the connection, as a client may.
    """

    def __init__(self, prelude: dict[str, Any]) -> None:
        self.prelude = prelude
        self.closed = Event()
        self._chunks: Queue[bytes | FunctionError | None] = Queue(1)

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._chunks.get()) is not None:
            if isinstance(chunk, FunctionError):
                raise chunk
            yield chunk

    def close(self) -> None:
        """Read no more: the client is gone."""
        self.closed.set()
        while not self._chunks.empty():
            self._chunks.get()

    def put(self, chunk: bytes | FunctionError | None) -> None:
        """Give the next chunk to the reader; raise ConnectionError if it is gone."""
        if not self.closed.is_set():
            self._chunks.put(chunk)
        if self.closed.is_set():
            raise ConnectionResetError("The client is gone")


@dataclass(frozen=True)
class Invocation:
    """An event for the function, and the future of its result."""

    payload: bytes
    deadline_ms: int
    request_id: str = field(default_factory=lambda: str(uuid4()))
    result: "Future[Any]" = field(default_factory=Future)
    # Whether the client has requested the next one: it may work after its answer.
    ended: Event = field(default_factory=Event)


class RuntimeAPI(ThreadingHTTPServer):
    """
    Serve invocations to a runtime client, and receive its results.

    ``initialized`` is set when the client requests its first invocation or, under
    SnapStart, its restoration; it continues when ``restored`` is set. ``failure`` is
    the error of the init phase or the restoration, or None. ``trace`` is the trace
    header of the next invocations, or None.
    """

    daemon_threads = True
    # The client keeps its connection open until it ends.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeAPIRequest)
        self.initialized = Event()
        self.restored = Event()
        self.failure: FunctionError | None = None
        self.trace: str | None = TRACE
        self._waiting: Queue[Invocation | None] = Queue()
        self._running: dict[str, Invocation] = {}
        self._last: Invocation | None = None
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        """Return the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def idle(self) -> bool:
        """Return whether the client has done all of the last invocation."""
        return self._last is None or self._last.ended.is_set()

    def send(self, event: Any, seconds: float) -> Invocation:
        """Queue an event with a deadline in ``seconds``."""
        deadline = int((time.time() + seconds) * 1000)
        invocation = Invocation(json.dumps(event).encode(), deadline)
        self._running[invocation.request_id] = invocation
        self._waiting.put(invocation)
        return invocation

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore connections that break when the client is killed."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def next(self) -> Invocation | None:
        """Wait for the next invocation; return None if the API is closed."""
        self.initialized.set()
        if self._last:
            self._last.ended.set()
        invocation = self._waiting.get()
        self._last = invocation
        return invocation

    def complete(self, request_id: str, body: bytes, *, failed: bool) -> None:
        """Set the result or the error of an invocation."""
        invocation = self._running.pop(request_id)
        if failed:
            invocation.result.set_exception(read_error(body))
        else:
            invocation.result.set_result(json.loads(body))

    def begin(self, request_id: str, prelude: bytes) -> StreamedResult:
        """Set the result of an invocation, whose body is still to be made."""
        result = StreamedResult(json.loads(prelude))
        self._running.pop(request_id).result.set_result(result)
        return result

    def close(self) -> None:
        """Stop serving; a client that waits for an invocation gets none."""
        self._waiting.put(None)
        self.restored.set()
        self.shutdown()
        self.server_close()


class RuntimeAPIRequest(BaseHTTPRequestHandler):
    """A request of the runtime client."""

    server: RuntimeAPI
    protocol_version = "HTTP/1.1"
    # With Nagle's algorithm the body waits 40 ms for the ACK of the headers.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Wait for an invocation or a restoration, and send it."""
        if self.path == f"{PREFIX}/restore/next":
            self.server.initialized.set()
            self.server.restored.wait()
            self._answer(200)
        elif self.path != f"{PREFIX}/invocation/next":
            self._answer(404)
        elif invocation := self.server.next():
            trace = self.server.trace
            self._answer(
                200,
                invocation.payload,
                {
                    "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                    "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": ARN,
                    **({"Lambda-Runtime-Trace-Id": trace} if trace else {}),
                },
            )
        else:
            self.close_connection = True

    def do_POST(self) -> None:
        """Receive a result or an error."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            return self._receive_stream(self.path.split("/")[-2])
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.path.removeprefix(PREFIX).split("/"):
            case ["", "invocation", request_id, "response"]:
                self.server.complete(request_id, body, failed=False)
            case ["", "invocation", request_id, "error"]:
                self.server.complete(request_id, body, failed=True)
            case ["", "init" | "restore", "error"]:
                self.server.failure = read_error(body)
            case _:
                return self._answer(404)
        return self._answer(202)

    def _receive_stream(self, request_id: str) -> None:
        self.close_connection = True
        data = b""
        while b"\0" * 8 not in data:
            data += self._chunk()
        prelude, _, chunk = data.partition(b"\0" * 8)
        result = self.server.begin(request_id, prelude)
        end: FunctionError | None = None
        try:
            if chunk:
                result.put(chunk)
            while chunk := self._chunk():
                result.put(chunk)
            end = trailer_error(parse_headers(self.rfile))
        except (ConnectionError, ValueError):
            end = FunctionError("Sandbox.Disconnected", "The response is incomplete")
            raise
        finally:
            if not result.closed.is_set():
                result.put(end)
        self._answer(202)

    def _chunk(self) -> bytes:
        """Return a chunk; b"" at the end, where the trailers follow."""
        size = int(self.rfile.readline(), 16)
        if not size:
            return b""
        chunk = self.rfile.read(size)
        self.rfile.readline()
        return chunk

    def _answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def read_error(body: bytes) -> FunctionError:
    """Return the error in a client's report."""
    error = json.loads(body)
    # Errors of the init phase are JSON in a JSON string.
    error = json.loads(error) if isinstance(error, str) else error
    return FunctionError(
        error["errorType"], error["errorMessage"], error.get("stackTrace")
    )


def trailer_error(trailers: Message) -> FunctionError | None:
    """Return the error in the trailers of a streamed response, if there is one."""
    kind = trailers["Lambda-Runtime-Function-Error-Type"]
    if kind is None:
        return None
    error = json.loads(base64.b64decode(trailers["Lambda-Runtime-Function-Error-Body"]))
    return FunctionError(kind, error["errorMessage"])
