"""
The Lambda Runtime API, for one execution environment on this machine.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks.html
"""

import json
import sys
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
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
        self._last = self._waiting.get()
        return self._last

    def complete(self, request_id: str, body: bytes, *, failed: bool) -> None:
        """Set the result or the error of an invocation."""
        invocation = self._running.pop(request_id)
        if failed:
            invocation.result.set_exception(read_error(body))
        else:
            invocation.result.set_result(json.loads(body))

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
