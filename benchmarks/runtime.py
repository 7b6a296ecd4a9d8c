"""
Compare this project's runtime client and gateway with AWS's client and apig-wsgi alone.

Each function runs in a process of its own, against a Runtime API in this one. Both of a
row are measured in alternation, and each round gives one ratio, so that load on the
machine affects both. Latency is from the first byte of the event to the last of the
answer; CPU is the processor time of the process for an invocation, with what it does
after its answer.

Run: .venv/bin/python -m benchmarks.runtime
"""

import argparse
import base64
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from tests.events import load_event

ROOT = Path(__file__).resolve().parents[1]
WRAPPER = ROOT / "apps" / "aws_lambda" / "runtime" / "wrapper"
MEBIBYTE = 1024 * 1024
COMMANDS = {
    "aws": [sys.executable, "-m", "awslambdaric"],
    "own": [str(WRAPPER), sys.executable],
}
HEADERS = (
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    "Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"
    "Lambda-Runtime-Deadline-Ms: {deadline}\r\n"
    "Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:1:function:f\r\n"
    "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n"
    "Content-Length: {length}\r\n\r\n"
)
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n" + b'{"status":"OK"}\n'


class Function:
    """A function that runs, and the connection of its runtime client."""

    def __init__(self, runtime: str, handler: str, variables: dict[str, str]) -> None:
        listening = socket.create_server(("127.0.0.1", 0))
        name = f"benchmarks.functions.{handler}"
        command = [*COMMANDS[runtime], name]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            env={
                "PATH": os.environ["PATH"],
                "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{listening.getsockname()[1]}",
                "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
                "AWS_LAMBDA_FUNCTION_NAME": "site-http",
                "AWS_LAMBDA_FUNCTION_VERSION": "1",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
                "LAMBDA_TASK_ROOT": str(ROOT),
                "_HANDLER": name,
                **variables,
            },
        )
        listening.settimeout(30)
        self.connection, _ = listening.accept()
        listening.close()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = bytearray(16 * MEBIBYTE)
        self.request()

    def request(self) -> tuple[int, int]:
        """Read a request of the client; return where its body begins, and ends."""
        size, start, end = 0, 0, 1 << 60
        while size < end:
            with memoryview(self.received) as view:
                read = self.connection.recv_into(view[size:])
            if not read:
                raise SystemExit(f"The function ended: {self.process.wait()}")
            size += read
            if not start and (found := self.received.find(b"\r\n\r\n", 0, size)) >= 0:
                start = found + 4
                head = bytes(self.received[:start]).lower()
                _, _, length = head.partition(b"content-length:")
                end = start + int(length.partition(b"\r\n")[0] or 0)
        return start, end

    def invoke(self, payload: bytes) -> float:
        """Send an event, and return the seconds until its answer was complete."""
        deadline = int(time.time() + 3600) * 1000
        head = HEADERS.format(deadline=deadline, length=len(payload)).encode()
        begin = time.perf_counter()
        self.connection.sendall(head)
        self.connection.sendall(payload)
        self.start, self.end = self.request()
        seconds = time.perf_counter() - begin
        self.connection.sendall(ACCEPTED)
        # For the next invocation.
        self.request_next()
        return seconds

    def request_next(self) -> None:
        kept = bytes(self.received[self.start : self.end])
        self.request()
        self.answer = kept

    @property
    def cpu_seconds(self) -> float:
        # https://man7.org/linux/man-pages/man3/clock_getcpuclockid.3.html
        return time.clock_gettime((~self.process.pid << 3) | 2)


@contextmanager
def running(
    runtime: str, handler: str, variables: dict[str, str]
) -> Iterator[Function]:
    function = Function(runtime, handler, variables)
    try:
        yield function
    finally:
        function.process.kill()
        function.process.wait()
        function.connection.close()


class Row(NamedTuple):
    """A comparison: the first function against the second, with the same event."""

    name: str
    event: Any
    variables: dict[str, str]
    ours: tuple[str, str] = ("own", "gateway")
    theirs: tuple[str, str] = ("aws", "bare")
    times: int = 50
    target: str = ""


QUIET = {"LOG_LEVEL": "WARNING"}
LOUD = {"LOG_LEVEL": "INFO"}
SITE = {
    "ENV_FILE": "/dev/null",
    "STAGE": "local",
    "SECRET_KEY": "only-for-a-benchmark",
    "ALLOWED_HOSTS": "*",
    "DATABASE_URL": "sqlite:////tmp/benchmark.sqlite3",
    "DJANGO_SETTINGS_MODULE": "project.settings",
}
JSON = {"APPLICATION": "json"}
REST = load_event("rest_stage_root")
HTTP = load_event("http_default", rawPath="/")
UPLOAD = HTTP | {
    "body": base64.b64encode(os.urandom(MEBIBYTE)).decode(),
    "isBase64Encoded": True,
}


def page(path: str) -> Any:
    event: dict[str, Any] = load_event("http_default", rawPath=path)
    # Compression takes the same time on both sides.
    event["headers"] |= {"accept-encoding": "identity"}
    return event


def body(kind: str, size: int) -> dict[str, str]:
    return {"APPLICATION": kind, "BODY_BYTES": str(size)} | QUIET


NULL = (("own", "null"), ("aws", "null"))
AWS = (("aws", "gateway"), ("aws", "bare"))
DJANGO = {"APPLICATION": "django"}
ROWS = [
    Row("null handler", {}, {}, *NULL, target="0.45 / 0.35"),
    Row("small JSON, REST API", REST, JSON | QUIET, target="0.50 / 0.40"),
    Row("small JSON, HTTP API", HTTP, JSON | QUIET, target="0.50 / 0.40"),
    Row("the same with access line", HTTP, JSON | LOUD, target="0.70"),
    Row("1 MiB down", HTTP, body("binary", MEBIBYTE), times=10, target="0.40"),
    Row("1 MiB up", UPLOAD, JSON | QUIET, times=10, target="0.25"),
    Row("5 MB text", HTTP, body("text", 5_000_000), times=2, target="0.60"),
    Row("4.3 MB binary", HTTP, body("binary", 4_300_000), times=2, target="0.30"),
    Row("health page", page("/health/live"), DJANGO | QUIET, times=20, target="0.70"),
    Row("admin login", page("/admin/login/"), DJANGO | QUIET, times=5, target="0.97"),
    Row("AWS's client, REST API", REST, JSON | QUIET, *AWS, target="1.10"),
    Row("AWS's client, HTTP API", HTTP, JSON | QUIET, *AWS, target="1.10"),
    Row("AWS's client, access line", HTTP, JSON | LOUD, *AWS),
]


def measure(row: Row, rounds: int) -> None:
    payload = json.dumps(row.event, separators=(",", ":")).encode()
    with ExitStack() as stack:
        pair = [
            stack.enter_context(running(*kind, SITE | row.variables))
            for kind in (row.theirs, row.ours)
        ]
        for function in pair:
            for _ in range(row.times):
                function.invoke(payload)
        latencies: list[list[float]] = []
        costs: list[list[float]] = []
        for _ in range(rounds):
            latency, cost = [], []
            for function in pair:
                begin = function.cpu_seconds
                seconds = [function.invoke(payload) for _ in range(row.times)]
                latency.append(median(seconds))
                cost.append((function.cpu_seconds - begin) / row.times)
            latencies.append(latency)
            costs.append(cost)
    cells = []
    for values in (latencies, costs):
        theirs, ours = (median(v) * 1e6 for v in zip(*values, strict=True))
        ratio = median(ours / theirs for theirs, ours in values)
        cells.append(f"{theirs:8.0f} -> {ours:6.0f} us {ratio:5.2f}")
    print(f"{row.name:26}{cells[0]:>28}{cells[1]:>28}  {row.target}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.runtime")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="", help="rows whose name contains this")
    options = parser.parse_args()
    print(f"{'':26}{'latency':>28}{'CPU':>28}  target")
    for row in ROWS:
        if options.only in row.name:
            measure(row, options.rounds)


if __name__ == "__main__":
    main()
