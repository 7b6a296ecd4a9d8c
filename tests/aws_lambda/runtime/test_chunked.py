"""A streamed result on the wire: slow readers, signals, lost connections, refusals."""

import base64
import json
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

import pytest

from apps.aws_lambda.runtime import chunked
from apps.aws_lambda.runtime.chunked import ChunkedPost
from apps.aws_lambda.runtime.connection import Connection, Response
from apps.aws_lambda.runtime.replies import Reply, RuntimeAPIError

KIBIBYTE = 1024
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
PATH = b"POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1"
SECONDS = 20


class Parts:
    """A result in parts, as the gateway makes one."""

    def __init__(
        self,
        *parts: bytes,
        seconds: float | None = None,
        fault: tuple[str, str] | None = None,
    ) -> None:
        self.parts, self.seconds, self.fault = parts, seconds, fault
        self.cuts: list[str] = []

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.parts)

    def seconds_left(self) -> float | None:
        return self.seconds

    def cut(self, reason: str) -> None:
        self.cuts.append(reason)


class Log:
    def __init__(self) -> None:
        self.text = ""

    def log(self, text: str) -> None:
        self.text += text


class Lambda:
    """The other side: it does with each connection what the test wants."""

    def __init__(self, *acts: Callable[[socket.socket], None]) -> None:
        self.acts = list(acts)
        self.listening = socket.create_server(("127.0.0.1", 0))
        # Small buffers, so that a sender waits for its reader.
        self.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIBIBYTE)
        self.thread = Thread(target=self.serve, daemon=True)
        self.thread.start()
        self.connection = Connection(f"127.0.0.1:{self.listening.getsockname()[1]}")
        self.log = Log()

    def serve(self) -> None:
        for act in self.acts:
            accepted, _ = self.listening.accept()
            with accepted, suppress(ConnectionError):
                act(accepted)

    def stream(self, parts: Parts) -> None:
        sink: Any = self.log
        try:
            Reply(self.connection, "request-1", "id-1", sink).stream(parts)
        finally:
            # Lambda wants it closed, and what is left in it belongs to no one.
            assert self.connection._socket is None

    def next(self) -> int:
        """Return the status of the next request of the client."""
        return self.connection.request("GET", "/next").status

    def close(self) -> None:
        self.connection.close()
        self.thread.join(SECONDS)
        self.listening.close()
        assert not self.thread.is_alive()


def answer_next(connection: socket.socket) -> None:
    until(connection, b"\r\n\r\n")
    connection.sendall(ACCEPTED)


def until(connection: socket.socket, end: bytes) -> bytes:
    """Return what arrives up to these bytes, and leave the rest unread."""
    data = b""
    while not data.endswith(end):
        seen = connection.recv(64 * KIBIBYTE, socket.MSG_PEEK)
        if not seen:
            raise ConnectionResetError("The client has ended it")
        found = (data + seen).find(end)
        size = len(seen) if found < 0 else found + len(end) - len(data)
        data += connection.recv(size)
    return data


class Received:
    """A request in chunks, as it has arrived."""

    def __init__(self, connection: socket.socket, pause: float = 0) -> None:
        with connection.makefile("rb", buffering=1000) as reader:
            head = iter(reader.readline, b"\r\n")
            self.first, *lines = [line.strip() for line in head]
            self.headers = dict(line.split(b": ", 1) for line in lines)
            self.chunks: list[bytes] = []
            while size := int(reader.readline(), 16):
                chunk = b""
                while len(chunk) < size:
                    time.sleep(pause)
                    chunk += reader.read(min(size - len(chunk), 64 * KIBIBYTE))
                self.chunks.append(chunk)
                assert reader.readline() == b"\r\n"
            trailers = iter(reader.readline, b"\r\n")
            self.trailers = dict(line.strip().split(b": ", 1) for line in trailers)
        connection.sendall(ACCEPTED)


def answer_stream(connection: socket.socket) -> None:
    Received(connection)


def received(parts: Parts, pause: float = 0) -> Received:
    requests: list[Received] = []
    other = Lambda(lambda connection: requests.append(Received(connection, pause)))
    other.stream(parts)
    other.close()
    [request] = requests
    return request


# What arrives

SIZES = [1, 9, 16 * KIBIBYTE - 1, 16 * KIBIBYTE, 16 * KIBIBYTE + 1, 300 * KIBIBYTE]


@pytest.mark.parametrize("pause", [0, 0.002])
def test_a_slow_reader_gets_the_chunks_as_they_were_made(pause: float):
    made = [os.urandom(size) for size in [*SIZES, 1, *reversed(SIZES)]]

    request = received(Parts(*made, seconds=SECONDS), pause)

    assert request.first == PATH
    assert request.headers[b"Transfer-Encoding"] == b"chunked"
    assert request.headers[b"Lambda-Runtime-Invocation-Id"] == b"id-1"
    assert b"Content-Length" not in request.headers
    assert request.chunks == made
    assert request.trailers == {}


def test_what_has_cut_a_stream_is_in_its_trailers():
    fault = "Application.Failed", "Déjà vu"

    request = received(Parts(b"{}", fault=fault))

    kind, body = request.trailers.values()
    assert [*request.trailers] == request.headers[b"Trailer"].split(b", ")
    assert kind == b"Application.Failed"
    assert json.loads(base64.b64decode(body)) == {
        "errorType": "Application.Failed",
        "errorMessage": "Déjà vu",
    }


# Signals


@pytest.fixture
def alarm() -> Iterator[Callable[[Callable[..., Any]], object]]:
    """Set the handler of SIGALRM for the test."""
    before = signal.getsignal(signal.SIGALRM)
    yield partial(signal.signal, signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("seconds", [None, SECONDS])
def test_signals_do_not_change_what_is_sent(alarm: Any, seconds: float | None):
    caught: list[int] = []
    alarm(lambda number, frame: caught.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    made = [os.urandom(size) for size in [500 * KIBIBYTE, 5, 500 * KIBIBYTE]]

    request = received(Parts(*made, seconds=seconds), pause=0.005)

    assert request.chunks == made
    assert len(caught) > 10


def test_a_signal_handler_that_raises_closes_the_connection(alarm: Any):
    class Stop(BaseException):
        pass

    def stop(number: int, frame: Any) -> None:
        raise Stop

    def interrupt(connection: socket.socket) -> None:
        until(connection, b"\r\n\r\n")
        main = threading.main_thread().ident
        assert main
        signal.pthread_kill(main, signal.SIGALRM)
        drain(connection)

    alarm(stop)
    other = Lambda(interrupt, answer_next)
    with pytest.raises(Stop):
        other.stream(Parts(b"{}", bytes(50_000 * KIBIBYTE)))

    assert other.next() == 202
    other.close()


# Lost connections

LARGE = bytes(400 * KIBIBYTE)
PARTS = [b'{"statusCode": 200}' + bytes(8), b"first", LARGE, b"last"]
# How much of the request arrives before the connection is lost.
STATES = {
    "before the head": b"",
    "in the head": PATH,
    "before the prelude": b"\r\n\r\n",
    "in the prelude": b"statusCode",
    "after the prelude": bytes(8) + b"\r\n",
    "after a chunk": b"first\r\n",
    "in a large chunk": b"64000\r\n\0\0\0",
    "before the end": b"last\r\n",
    "in the end": b"last\r\n0\r\n",
    "before the response": b"last\r\n0\r\n\r\n",
}


def lose(connection: socket.socket, *, reset: bool) -> None:
    if reset:
        no_linger = struct.pack("ii", 1, 0)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, no_linger)
    connection.close()


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("state", STATES)
def test_a_connection_that_is_lost_is_a_client_that_is_gone(state: str, reset: bool):
    def act(connection: socket.socket) -> None:
        if end := STATES[state]:
            until(connection, end)
        lose(connection, reset=reset)

    other = Lambda(act, answer_next)
    # It never ends, unless the loss is noticed.
    parts = Parts(*PARTS, seconds=SECONDS)

    other.stream(parts)

    assert parts.cuts == ["client"]
    assert other.log.text == ""
    assert other.next() == 202
    other.close()


def test_a_connection_that_is_lost_in_the_freeze_after_a_stream_is_replaced():
    def lost_in_a_freeze(connection: socket.socket) -> None:
        until(connection, b"\r\n\r\n")
        lose(connection, reset=True)

    other = Lambda(answer_stream, lost_in_a_freeze, answer_next)
    other.stream(Parts(b"{}"))

    assert other.next() == 202
    other.close()


@pytest.mark.parametrize("size", range(1, len(ACCEPTED), 7))
def test_a_response_that_is_lost_is_a_client_that_is_gone(size: int):
    def act(connection: socket.socket) -> None:
        until(connection, b"0\r\n\r\n")
        connection.sendall(ACCEPTED[:size])

    other = Lambda(act, answer_next)
    parts = Parts(b"{}")

    other.stream(parts)

    assert parts.cuts == ["client"]
    assert other.next() == 202
    other.close()


def test_a_reader_that_stops_is_cut_at_the_deadline():
    cut = threading.Event()

    def act(connection: socket.socket) -> None:
        until(connection, b"first\r\n")
        cut.wait(SECONDS)

    other = Lambda(act, answer_next)
    parts = Parts(*PARTS, bytes(20_000 * KIBIBYTE), b"never", seconds=0.2)

    other.stream(parts)

    assert parts.cuts == ["deadline"]
    cut.set()
    assert other.next() == 202
    other.close()


class Clock:
    """A socket on which each send takes three seconds, and an answer none."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timeouts: list[float | None] = []

    def monotonic(self) -> float:
        return self.now

    def settimeout(self, seconds: float | None) -> None:
        self.timeouts.append(seconds)

    def sendall(self, data: bytes) -> None:
        self.now += 3


def test_all_sends_of_a_chunk_and_of_the_end_have_one_deadline(
    monkeypatch: pytest.MonkeyPatch,
):
    clock: Any = Clock()
    accepted = Response(202, {}, b"")
    monkeypatch.setattr(chunked, "monotonic", clock.monotonic)
    connection = Connection("127.0.0.1:1")
    monkeypatch.setattr(connection, "connect", lambda: clock)
    monkeypatch.setattr(connection, "response", lambda: accepted)
    post = ChunkedPost(connection, "/", [])

    post.send(LARGE, 7)
    assert clock.timeouts == [7, 4, 1]

    clock.timeouts.clear()
    post.send(LARGE, 4)
    # 0 would mean that nothing waits.
    assert clock.timeouts == [4, 1, 0.001]

    clock.timeouts.clear()
    assert post.finish([], 5) is accepted
    assert clock.timeouts == [5, 2]

    clock.timeouts.clear()
    post.send(LARGE, None)
    assert set(clock.timeouts) == {None}


# Refusals


def refusal(status: int) -> bytes:
    body = b'{"errorType": "Refused"}'
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def drain(connection: socket.socket) -> None:
    while connection.recv(64 * KIBIBYTE):
        pass


def read_on(connection: socket.socket) -> None:
    """Read the rest of a request that is answered already."""
    with suppress(ConnectionError):
        until(connection, b"last\r\n0\r\n\r\n")


def end_after(connection: socket.socket) -> None:
    """End the connection; what arrives later is reset, after the answer is read."""
    connection.shutdown(socket.SHUT_WR)
    drain(connection)


@pytest.mark.parametrize("then", [read_on, end_after])
@pytest.mark.parametrize("status", [410, 413])
def test_a_refusal_in_mid_stream_is_logged(status: int, then: Any):
    def act(connection: socket.socket) -> None:
        until(connection, b"first\r\n")
        connection.sendall(refusal(status))
        then(connection)

    other = Lambda(act, answer_next)
    parts = Parts(*PARTS, seconds=SECONDS)

    other.stream(parts)

    assert f"Lambda answered {status} to the response of request-1" in other.log.text
    assert "Refused" in other.log.text
    assert other.next() == 202
    other.close()


def test_a_refusal_of_an_endless_stream_is_read_when_the_connection_breaks():
    sent = []

    class Endless(Parts):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                sent.append(1)
                yield b"x" * KIBIBYTE

    def act(connection: socket.socket) -> None:
        until(connection, b"\r\n\r\n")
        connection.sendall(refusal(413))
        # The answer has arrived when the connection breaks.
        while len(sent) < 5:
            connection.recv(4 * KIBIBYTE)
        connection.shutdown(socket.SHUT_RDWR)

    other = Lambda(act, answer_next)
    parts = Endless(seconds=SECONDS)

    other.stream(parts)

    assert parts.cuts == ["client"]
    assert "Lambda answered 413" in other.log.text
    assert other.next() == 202
    other.close()


@pytest.mark.parametrize("status", [400, 403, 500])
def test_another_refusal_ends_the_environment(status: int):
    def act(connection: socket.socket) -> None:
        until(connection, b"first\r\n")
        connection.sendall(refusal(status))
        read_on(connection)

    other = Lambda(act)
    with pytest.raises(RuntimeAPIError, match=f"Lambda answered {status}"):
        other.stream(Parts(*PARTS, seconds=SECONDS))
    other.close()
