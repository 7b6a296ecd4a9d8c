"""Lambda's Invoke for the local AWS: moto's own only echoes the event."""

import base64
import json
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from tests.services.aws import AWS, REGION

INVOKE = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
# The region in the signature of a request.
SCOPE = re.compile(r"Credential=[^/]+/\d+/([^/]+)/")
# Seconds between two reads of a function's log.
INTERVAL = 0.1
# Events and bytes of one PutLogEvents, below its limits.
BATCH, BATCH_SIZE = 1000, 500_000

MAX_KEPT_BODY = 100_000

# Returns a new environment, not yet started, for a function's name and qualifier.
MakeEnvironment = Callable[[str, str], ExecutionEnvironment]


class Asked(NamedTuple):
    """A request of an AWS client."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


# A status, a body and headers.
Answer = tuple[int, bytes, dict[str, str]]
# Gets a request and the function that answers it, and may delay or change the answer.
Between = Callable[[Asked, Callable[[Asked], Answer]], Answer]


class Refused(Exception):
    """Raised by MakeEnvironment if Lambda would reject the call."""

    def __init__(self, status: int, code: str, message: str = "no") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class LocalLambda(ThreadingHTTPServer):
    """
    Be the endpoint of every AWS service: invoke functions, and hand on to moto.

    Each call gets an execution environment that waits, or a new one from ``make``,
    which raises LookupError for a function that does not exist. What functions
    write arrives in moto's CloudWatch Logs, in /aws/lambda/<name>. ``timeout`` is
    that of all functions, in seconds, and may be changed; so may ``between``.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, aws: AWS, make: MakeEnvironment, timeout: float = 28) -> None:
        super().__init__(("127.0.0.1", 0), Call)
        self.aws = aws
        self.make = make
        self.timeout: float = timeout
        # Each request, without large bodies.
        self.asked: list[Asked] = []
        self.between: Between = lambda asked, respond: respond(asked)
        # An environment dies with the thread that started it, so one thread starts
        # all of them.
        self._starter = ThreadPoolExecutor(1)
        self._idle: dict[tuple[str, str], list[Running]] = {}
        self._all: list[Running] = []
        self._lock = Lock()
        Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def environment(self) -> dict[str, str]:
        """Return the variables that lead any client here."""
        return self.aws.environment() | {"AWS_ENDPOINT_URL": self.url}

    def invoke(self, name: str, qualifier: str, event: Any) -> "tuple[Any, Running]":
        """Return the result of a function, and where it ran. Raises FunctionError."""
        running = self._take(name, qualifier)
        running.begun = running.size
        try:
            result = running.environment.invoke(event, self.timeout)
        finally:
            running.ship()
            with self._lock:
                if running.environment.alive:
                    self._idle.setdefault((name, qualifier), []).append(running)
        return result, running

    def _take(self, name: str, qualifier: str) -> "Running":
        with self._lock:
            idle = self._idle.get((name, qualifier))
            if idle:
                return idle.pop()
        environment = self.make(name, qualifier)
        running = Running(environment, self.aws, name)
        self._all.append(running)
        try:
            self._starter.submit(environment.start).result()
        finally:
            running.ship()
        return running

    def retire(self) -> None:
        """Give the next calls new environments."""
        with self._lock:
            self._idle.clear()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that have disconnected."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop the server and all environments."""
        self.shutdown()
        self.server_close()
        for running in self._all:
            running.close()
        self._starter.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Running:
    """An environment whose log is copied to CloudWatch Logs."""

    def __init__(self, environment: ExecutionEnvironment, aws: AWS, name: str) -> None:
        self.environment = environment
        self.begun = 0
        self.size = 0
        self._logs = aws.client("logs")
        self._place = {
            "logGroupName": f"/aws/lambda/{name}",
            "logStreamName": f"2026/11/23/[$LATEST]{uuid4().hex}",
        }
        self._lock = Lock()
        self._stopped = Event()
        self._placed = False
        Thread(target=self._follow, daemon=True).start()

    def ship(self) -> None:
        """Copy the complete lines that are new."""
        with self._lock:
            text = self.environment.log_from(self.size)
            complete = text[: text.rfind(b"\n") + 1]
            if not complete or self._stopped.is_set():
                return
            self._put(complete.decode(errors="replace").splitlines())
            self.size += len(complete)

    def tail(self) -> str:
        """Return the last 4 KB that this invocation wrote, as LogType=Tail does."""
        words = self.environment.log_from(self.begun)[-4096:]
        return base64.b64encode(words).decode()

    def close(self) -> None:
        self._stopped.set()
        with self._lock:
            self.environment.stop()

    def _follow(self) -> None:
        while not self._stopped.wait(INTERVAL):
            self.ship()

    def _put(self, lines: list[str]) -> None:
        if not self._placed:
            exists = self._logs.exceptions.ResourceAlreadyExistsException
            with suppress(exists):
                self._logs.create_log_group(logGroupName=self._place["logGroupName"])
            self._logs.create_log_stream(**self._place)
            self._placed = True
        now = int(time.time() * 1000)
        batch: list[dict[str, Any]] = []
        size = 0
        # CloudWatch Logs rejects empty messages.
        for line in filter(None, lines):
            if len(batch) == BATCH or size + len(line) > BATCH_SIZE:
                self._logs.put_log_events(**self._place, logEvents=batch)
                batch, size = [], 0
            batch.append({"timestamp": now, "message": line})
            size += len(line)
        if batch:
            self._logs.put_log_events(**self._place, logEvents=batch)


class Call(BaseHTTPRequestHandler):
    """The handler of a request."""

    server: LocalLambda
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = Asked(self.command, self.path, dict(self.headers), body)
        self.server.asked.append(asked._replace(body=body[:MAX_KEPT_BODY]))
        status, content, headers = self.server.between(asked, self.respond)
        self.send_response_only(status)
        for name, value in {"x-amzn-RequestId": str(uuid4()), **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = handle_any  # noqa: N815

    def respond(self, asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        match = INVOKE.fullmatch(url.path)
        if match and asked.method == "POST":
            qualifier = parse_qs(url.query).get("Qualifier", [""])[0]
            event = json.loads(asked.body or b"{}")
            return self.invoke(unquote(match[1]), qualifier, event)
        return self.forward(asked)

    def invoke(self, name: str, qualifier: str, event: Any) -> Answer:
        # arn:aws:lambda:region:account:function:name[:qualifier], or a part of it.
        name, _, suffix = name.rpartition("function:")[2].partition(":")
        qualifier = qualifier or suffix
        scope = SCOPE.search(self.headers.get("Authorization", ""))
        headers = {"X-Amz-Executed-Version": qualifier or "$LATEST"}
        try:
            if scope and scope[1] != REGION:
                raise LookupError(name)
            if self.headers.get("X-Amz-Invocation-Type") == "Event":
                Thread(
                    target=self.server.invoke,
                    args=(name, qualifier, event),
                    daemon=True,
                ).start()
                return 202, b"", headers
            result, running = self.server.invoke(name, qualifier, event)
        except LookupError:
            return refusal(
                404, "ResourceNotFoundException", f"Function not found: {name}"
            )
        except Refused as error:
            return refusal(error.status, error.code, str(error))
        except FunctionError as error:
            payload = {
                "errorMessage": error.message,
                "errorType": error.type,
                "stackTrace": error.stack,
            }
            headers["X-Amz-Function-Error"] = "Unhandled"
            return 200, json.dumps(payload).encode(), headers
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = running.tail()
        return 200, json.dumps(result).encode(), headers

    def forward(self, asked: Asked) -> Answer:
        """Return moto's answer."""
        connection = HTTPConnection("127.0.0.1", self.server.aws.port)
        try:
            connection.request(asked.method, asked.path, asked.body, asked.headers)
            response = connection.getresponse()
            content = response.read()
            skipped = {"content-length", "transfer-encoding", "connection"}
            headers = {
                key: value
                for key, value in response.getheaders()
                if key.lower() not in skipped
            }
            return response.status, content, headers
        finally:
            connection.close()

    def log_message(self, *args: object) -> None:
        pass


def refusal(status: int, code: str, message: str) -> Answer:
    """Return the error response of a service."""
    body = json.dumps({"Type": "User", "Message": message}).encode()
    return status, body, {"x-amzn-ErrorType": code}
