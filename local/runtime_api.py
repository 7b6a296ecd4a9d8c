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
    What Lambda answers instead of a result: the function failed.

    ``type`` is the name of the exception, or Lambda's own name for the failure,
    such as "Sandbox.Timedout" or "Runtime.ExitError". ``request_id`` is the ID that
    Lambda gave the invocation, or "" in the init phase.
    """

    request_id = ""

    def __init__(self, type: str, message: str, stack: list[str] | None = None) -> None:  # noqa: A002
        super().__init__(f"{type}: {message}")
        self.type = type
        self.message = message
        self.stack = stack or []


@dataclass(frozen=True)
class Invocation:
    """One event on its way to the function, and what will come back."""

    payload: bytes
    deadline_ms: int
    request_id: str = field(default_factory=lambda: str(uuid4()))
    answer: "Future[Any]" = field(default_factory=Future)


class RuntimeAPI(ThreadingHTTPServer):
    """
    Hand invocations to a runtime client, and take its answers.

    ``initialized`` is set when the client asks for its first invocation, or under
    SnapStart for the end of its restoration: it goes on when ``restored`` is set.
    ``failure`` is the error of the init phase or of the restoration, or None.

    ``trace`` is the trace header of the invocations from now on, or None.
    """

    daemon_threads = True
    # A connection stays open for the client's whole life.
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), RuntimeAPIRequest)
        self.initialized = Event()
        self.restored = Event()
        self.failure: FunctionError | None = None
        self.trace: str | None = TRACE
        self._waiting: Queue[Invocation | None] = Queue()
        self._running: dict[str, Invocation] = {}
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def address(self) -> str:
        """Return the value of AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self.server_port}"

    def send(self, event: Any, seconds: float) -> Invocation:
        """Queue an event whose deadline is in so many seconds."""
        deadline = int((time.time() + seconds) * 1000)
        invocation = Invocation(json.dumps(event).encode(), deadline)
        self._running[invocation.request_id] = invocation
        self._waiting.put(invocation)
        return invocation

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed while it talked to us."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def next(self) -> Invocation | None:
        """Wait for the next invocation; None says that there will be no more."""
        self.initialized.set()
        return self._waiting.get()

    def settle(self, request_id: str, body: bytes, *, failed: bool) -> None:
        """Give the answer to whoever waits for this invocation."""
        invocation = self._running.pop(request_id)
        if failed:
            invocation.answer.set_exception(read_error(body))
        else:
            invocation.answer.set_result(json.loads(body))

    def close(self) -> None:
        """Stop serving, and let go of a client that waits."""
        self._waiting.put(None)
        self.restored.set()
        self.shutdown()
        self.server_close()


class RuntimeAPIRequest(BaseHTTPRequestHandler):
    """One request of the runtime client."""

    server: RuntimeAPI
    protocol_version = "HTTP/1.1"
    # Otherwise the body waits for the acknowledgement of the headers: 40 ms.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Answer when there is something to do: an invocation, or a restoration."""
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
        """Take a result or an error."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.path.removeprefix(PREFIX).split("/"):
            case ["", "invocation", request_id, "response"]:
                self.server.settle(request_id, body, failed=False)
            case ["", "invocation", request_id, "error"]:
                self.server.settle(request_id, body, failed=True)
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
    """Return the error that a client reported."""
    error = json.loads(body)
    # The errors of the init phase are JSON inside a JSON string.
    error = json.loads(error) if isinstance(error, str) else error
    return FunctionError(
        error["errorType"], error["errorMessage"], error.get("stackTrace")
    )
