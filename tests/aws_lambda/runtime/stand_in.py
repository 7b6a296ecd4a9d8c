"""
A Runtime API that records what a client sends, and the clients that are compared.

Lambda's side is as plain as possible: what a client gets and when is up to the test.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, NamedTuple, Self

FUNCTIONS = Path(__file__).with_name("functions")
ROOT = Path(__file__).resolve().parents[3]
WRAPPER = ROOT / "apps" / "aws_lambda" / "runtime" / "wrapper"
SECONDS = 20

HEADERS = {
    "Content-Type": "application/json",
    "Lambda-Runtime-Aws-Request-Id": "request-1",
    "Lambda-Runtime-Deadline-Ms": "4102444800000",
    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-west-1:1:function:f",
}

COMMANDS = {
    "aws": [sys.executable, "-m", "awslambdaric"],
    "own": [str(WRAPPER), sys.executable, "/var/runtime/bootstrap.py"],
}


class Post(NamedTuple):
    """A request with a body: the last parts of its path, its headers, its body."""

    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """What a request for the next invocation gets."""

    body: bytes
    headers: dict[str, str] = HEADERS
    chunks: tuple[int, ...] = ()


class RuntimeAPI:
    """
    Lambda's side of one execution environment.

    ``status`` is the status of the responses to what the client sends. ``on_post`` is
    called with each before it is answered. With ``closes`` the connection ends after
    the answer; ``closed`` counts those that have ended.
    """

    def __init__(self) -> None:
        self.posts: Queue[Post] = Queue()
        self.answers: Queue[Answer | None] = Queue()
        self.status = 202
        self.on_post: Callable[[Post], None] = lambda post: None
        self.asked: list[str] = []
        self.connections = 0
        self.closes, self.closed = False, 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._answer(connection)
        finally:
            self.closed += 1

    def _answer(self, connection: socket.socket) -> None:
        # The test may have killed the client.
        with (
            connection,
            connection.makefile("rb") as reader,
            suppress(ConnectionError),
        ):
            while line := reader.readline():
                method, path, _ = line.decode().split(" ")
                self.asked.append(f"{method} {path.removeprefix('/2018-06-01/')}")
                headers = {}
                while header := reader.readline().strip():
                    name, _, value = header.partition(b":")
                    headers[name.decode().lower()] = value.strip().decode()
                body = reader.read(int(headers.get("content-length", 0)))
                if method == "GET" and path.endswith("/invocation/next"):
                    answer = self.answers.get()
                    if answer is None:
                        return
                    connection.sendall(encode(answer))
                elif method == "GET":
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                else:
                    post = Post(
                        path.removeprefix("/2018-06-01/runtime/"), headers, body
                    )
                    self.on_post(post)
                    self.posts.put(post)
                    status = f"HTTP/1.1 {self.status} X\r\n"
                    connection.sendall(
                        f"{status}Content-Length: 2\r\n\r\n{{}}".encode()
                    )
                    if self.closes:
                        return


def encode(answer: Answer) -> bytes:
    """Return the bytes of a response, its body in chunks of these sizes if any."""
    lines = ["HTTP/1.1 200 OK", *(f"{n}: {v}" for n, v in answer.headers.items())]
    if not answer.chunks:
        lines.append(f"Content-Length: {len(answer.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + answer.body
    lines.append("Transfer-Encoding: chunked")
    parts, rest = [], answer.body
    for size in (*answer.chunks, len(rest)):
        chunk, rest = rest[:size], rest[size:]
        if chunk:
            parts.append(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
    return "\r\n".join([*lines, "", ""]).encode() + b"".join([*parts, b"0\r\n\r\n"])


class Ended(NamedTuple):
    """How a process ended: its exit code, what it wrote, and the telemetry frames."""

    exit_code: int
    output: str
    errors: str
    frames: bytes


class Client:
    """
    A runtime client in a process of its own, "aws" or "own".

    With ``telemetry`` it gets a descriptor for frames. ``folders`` have the functions,
    by PYTHONPATH; or ``folder`` has the package, as on Lambda.
    """

    def __init__(
        self,
        kind: str,
        handler: str = "outcomes.handle",
        variables: dict[str, str] | None = None,
        *,
        telemetry: bool = False,
        folders: Sequence[Path] = (FUNCTIONS,),
        folder: Path | None = None,
    ) -> None:
        self.api = RuntimeAPI()
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._frames = tempfile.TemporaryFile()  # noqa: SIM115
        passed: Sequence[int] = [self._frames.fileno()] if telemetry else []
        path = os.pathsep.join(map(str, [ROOT, *folders]))
        command = [*COMMANDS[kind], *([handler] if kind == "aws" else [])]
        if folder:
            command[0] = str(folder / WRAPPER.relative_to(ROOT))
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONUTF8": "1",
            "AWS_LAMBDA_RUNTIME_API": self.api.address,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
            "AWS_LAMBDA_FUNCTION_NAME": "site-http",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/site-http",
            "LAMBDA_TASK_ROOT": str(folder or ROOT),
            "_HANDLER": handler,
            **({} if folder else {"PYTHONPATH": path}),
            **({"_LAMBDA_TELEMETRY_LOG_FD": str(passed[0])} if telemetry else {}),
            **(variables or {}),
        }
        self.process = subprocess.Popen(
            command,
            cwd=folder or ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._errors,
            pass_fds=passed,
        )

    def send(
        self,
        body: bytes,
        headers: dict[str, str] = HEADERS,
        chunks: tuple[int, ...] = (),
    ) -> Post | None:
        """Give the client an invocation, and return its answer; None if it ends."""
        self.api.answers.put(Answer(body, headers, chunks))
        return self.post()

    def post(self) -> Post | None:
        """Return what it sends next; None if the process ends."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            try:
                return self.api.posts.get(timeout=0 if ended else 0.02)
            except Empty:
                if ended:
                    return None
        raise AssertionError(f"The client sent nothing for {SECONDS} s")

    def end(self) -> Ended:
        """End the connection at its next request, and return how the process ends."""
        self.api.answers.put(None)
        self.api.answers.put(None)
        exit_code = self.process.wait(SECONDS)
        return Ended(
            exit_code,
            read(self._output).decode(errors="backslashreplace"),
            read(self._errors).decode(errors="backslashreplace"),
            read(self._frames),
        )

    @property
    def output(self) -> str:
        """Return what it has written on standard output."""
        return read(self._output).decode(errors="backslashreplace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.process.kill()
        self.process.wait()
        self.api.listening.close()
        self.api.answers.put(None)
        for file in (self._output, self._errors, self._frames):
            file.close()


def read(file: Any) -> bytes:
    return os.pread(file.fileno(), 2**24, 0)


# What AWS's client writes about the Runtime API, and what both write about it at the
# end of the init phase, in words of their own.
OWN_WORDS = re.compile(
    r"\[ERROR\] \[\d+\] LAMBDA_RUNTIME [^\n]*\n"
    r"|LAMBDA_WARNING: Unhandled[^\r\"]*?(\r|\\r)"
)
# A frame of AWS's client itself, between the log and a hook of SnapStart.
OWN_FRAME = re.compile(
    "\\N{NO-BREAK SPACE}{2}File [^\r]*awslambdaric[^\r]*\r\\N{NO-BREAK SPACE}+[^\r]*\r"
)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def comparable(log: str) -> str:
    """Return a log without times, and without the clients' own words."""
    return TIME.sub("<time>", OWN_FRAME.sub("", OWN_WORDS.sub("", log)))
