"""Requests and responses on the wire, cut at any byte."""

import os
import re
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest

from apps.aws_lambda.runtime.connection import Connection, Response

# Closes the connection, and waits for the next one.
CLOSE = None
Step = bytes | None | Callable[[socket.socket], None]


class Server:
    """
    A server that answers by a script.

    For each request it reads the headers and the body, and then sends the next steps of
    the script up to the end of one list.
    """

    def __init__(self, *script: Sequence[Step]) -> None:
        self.script = list(script)
        self.requests: list[bytes] = []
        self.connections = 0
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.thread = Thread(target=self.run, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.listening.getsockname()[1]}"

    def run(self) -> None:
        while self.script:
            connection, _ = self.listening.accept()
            self.connections += 1
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with connection:
                self.serve(connection)

    def serve(self, connection: socket.socket) -> None:
        while self.script:
            request = read_request(connection)
            if not request:
                return
            self.requests.append(request)
            for step in self.script.pop(0):
                if step is CLOSE:
                    return
                if callable(step):
                    step(connection)
                else:
                    connection.sendall(step)


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        if not received:
            return b""
        data += received
    length = re.search(rb"content-length: (\d+)", data, re.IGNORECASE)
    end = data.index(b"\r\n\r\n") + 4 + (int(length[1]) if length else 0)
    while len(data) < end:
        data += connection.recv(65536)
    return data


@contextmanager
def serving(*script: Sequence[Step]) -> Iterator[tuple[Server, Connection]]:
    server = Server(*script)
    connection = Connection(server.address)
    try:
        yield server, connection
    finally:
        connection.close()
        server.listening.close()


def get(connection: Connection) -> Response:
    return connection.request("GET", "/next")


def content(response: Response) -> tuple[int, dict[str, str], bytes]:
    return response.status, response.headers, bytes(response.body)


LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Name:  a b \r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nX-Name: a b\r\n\r\n"
    b"2\r\nhe\r\n3;extension=1\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\n"
)
EMPTY = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("data", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_a_response_may_be_split_at_every_byte(data: bytes):
    pause: Step = lambda connection: time.sleep(0.001)  # noqa: E731
    script: list[list[Step]] = [
        [data[:cut], pause, data[cut:]] for cut in range(1, len(data))
    ]

    with serving(*script) as (server, connection):
        for _ in range(1, len(data)):
            response = get(connection)
            assert bytes(response.body) == b"hello"
            assert response.headers["x-name"] == "a b"

    assert server.connections == 1


@pytest.mark.parametrize("data", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_a_response_may_arrive_byte_by_byte(data: bytes):
    with serving([data[i : i + 1] for i in range(len(data))], [EMPTY]) as (
        _,
        connection,
    ):
        assert bytes(get(connection).body) == b"hello"
        assert get(connection).status == 202


@pytest.mark.parametrize("first", [LENGTH, CHUNKED, EMPTY])
@pytest.mark.parametrize("second", [LENGTH, CHUNKED, EMPTY])
def test_two_responses_may_arrive_in_one_packet(first: bytes, second: bytes):
    with (
        serving([first], [second]) as (_, separate),
        serving([first + second], []) as (_, together),
    ):
        for _ in range(2):
            assert content(get(together)) == content(get(separate))


@pytest.mark.parametrize("size", [0, 1, 70_000, 3_000_000])
@pytest.mark.parametrize("chunk", [None, 1000, 65536])
def test_a_large_body_is_complete(size: int, chunk: int | None):
    body = os.urandom(size)
    if chunk is None:
        data = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode() + body
    else:
        parts = [body[i : i + chunk] for i in range(0, size, chunk)]
        data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        data += b"".join(f"{len(p):X}\r\n".encode() + p + b"\r\n" for p in parts)
        data += b"0\r\n\r\n"

    with serving([data], [EMPTY]) as (_, connection):
        assert get(connection).body == body
        assert get(connection).status == 202


def test_bodies_of_all_sizes_follow_one_another():
    sizes = [200_000, 3_000_000, 5, 70_000, 2_999_999, 0, 3_000_001, 100_000]
    bodies = [os.urandom(size) for size in sizes]
    heads = [f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n" for size in sizes]

    pairs = zip(heads, bodies, strict=True)
    with serving(*[[head.encode(), body] for head, body in pairs]) as (_, connection):
        assert [bytes(get(connection).body) for _ in bodies] == bodies


@pytest.mark.parametrize(
    "name",
    ["Lambda-Runtime-Trace-Id", "lambda-runtime-trace-id", "LAMBDA-RUNTIME-TRACE-ID"],
)
def test_the_case_of_a_header_name_does_not_matter(name: str):
    data = f"HTTP/1.1 200 OK\r\n{name}:Root=1-é\r\nCONTENT-LENGTH: 0\r\n\r\n".encode()

    with serving([data]) as (_, connection):
        assert get(connection).headers["lambda-runtime-trace-id"] == "Root=1-é"


def test_an_interim_response_is_skipped():
    with serving([b"HTTP/1.1 100 Continue\r\n\r\n" + LENGTH]) as (_, connection):
        assert get(connection).status == 200


def test_a_body_without_a_length_ends_with_the_connection():
    data = b"HTTP/1.1 200 OK\r\n\r\nall of it"

    with serving([data, CLOSE], [LENGTH]) as (server, connection):
        assert get(connection).body == b"all of it"
        assert get(connection).body == b"hello"

    assert server.connections == 2


def test_a_connection_that_is_to_be_closed_is_not_used_again():
    data = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"

    with serving([data, CLOSE], [LENGTH]) as (server, connection):
        assert get(connection).body == b"ok"
        assert get(connection).body == b"hello"

    assert server.connections == 2


@pytest.mark.parametrize("size", [0, 5, 20_000, 2_000_000])
def test_a_request_has_its_length_and_its_body(size: int):
    parts = [b"{", b"x" * size, b"}"]

    with serving([EMPTY]) as (server, connection):
        connection.request("POST", "/response", [("X-Name", "é")], parts)

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /response HTTP/1.1\r\nHost: 127.0.0.1:")
    assert f"Content-Length: {size + 2}".encode() in head.splitlines()
    assert "X-Name: é".encode() in head.splitlines()
    assert body == b"".join(parts)


# Lost connections


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_kept_connection_that_was_closed_is_replaced(method: str):
    with serving([LENGTH, CLOSE], [EMPTY]) as (server, connection):
        get(connection)
        # The server has closed it by now, or does so while it is written to.
        assert connection.request(method, "/", (), [b"body"] * (method == "POST"))

    assert server.connections == 2


def test_a_kept_connection_that_closes_at_the_request_is_replaced():
    with serving([LENGTH], [CLOSE], [EMPTY]) as (server, connection):
        get(connection)
        assert connection.request("POST", "/response", (), [b"x"]).status == 202

    assert len(server.requests) == 3


def test_it_is_replaced_once():
    with serving([LENGTH], [CLOSE], [CLOSE]) as (server, connection):
        get(connection)
        with pytest.raises(ConnectionError, match="without a response"):
            get(connection)

    assert len(server.requests) == 3


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_new_connection_that_closes_at_the_request_is_replaced_once(method: str):
    with serving([CLOSE], [EMPTY], [CLOSE], [CLOSE]) as (server, connection):
        assert connection.request(method, "/").status == 202
        connection.close()
        with pytest.raises(ConnectionError, match="without a response"):
            connection.request(method, "/")

    assert (len(server.requests), server.connections) == (4, 4)


@pytest.mark.parametrize("data", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_a_connection_that_is_lost_in_a_response_is_an_error(data: bytes):
    script: list[list[Step]] = []
    for cut in range(1, len(data)):
        # On a kept connection, and on a new one.
        script += [[EMPTY], [data[:cut], CLOSE], [data[:cut], CLOSE]]

    with serving(*script) as (server, connection):
        for _ in range(1, len(data)):
            get(connection)
            for _ in range(2):
                with pytest.raises(ConnectionError):
                    get(connection)

    # Never a second time: the other side may have done it.
    assert len(server.requests) == len(script)


def test_a_large_body_that_is_cut_is_an_error():
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 70_000

    with serving([data, CLOSE]) as (_, connection):  # noqa: SIM117
        with pytest.raises(ConnectionError, match="of 100,000 bytes"):
            get(connection)


def test_a_server_that_is_not_there_is_an_error():
    with pytest.raises(OSError, match="refused"):
        get(Connection(closed_address()))


def closed_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"127.0.0.1:{listening.getsockname()[1]}"


def test_what_is_not_http_is_an_error():
    with serving([b"SSH-2.0-OpenSSH\r\n\r\n"]) as (_, connection):  # noqa: SIM117
        with pytest.raises(ConnectionError, match="does not speak HTTP"):
            get(connection)


def test_an_answer_before_the_end_of_the_request_is_read():
    refused = (
        b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    )
    listening = socket.create_server(("127.0.0.1", 0))

    def answer_at_once() -> None:
        accepted, _ = listening.accept()
        with accepted:
            accepted.recv(1000)
            accepted.sendall(refused)
            accepted.shutdown(socket.SHUT_WR)
            # Otherwise the kernel would reset the connection, and the answer with it.
            while accepted.recv(65536):
                pass

    thread = Thread(target=answer_at_once, daemon=True)
    thread.start()
    connection = Connection(f"127.0.0.1:{listening.getsockname()[1]}")

    response = connection.request("POST", "/response", (), [b"x" * 8_000_000])

    assert response.status == 413
    thread.join()
    listening.close()


# Signals


@pytest.fixture
def interrupts() -> Iterator[Callable[[Callable[..., Any]], None]]:
    """Interrupt the main thread every millisecond."""
    before = signal.getsignal(signal.SIGALRM)

    def start(handler: Callable[..., Any]) -> None:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)

    yield start
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def test_signals_interrupt_neither_reading_nor_writing(interrupts: Any):
    body = os.urandom(2_000_000)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    slowly: list[Step] = [head]
    for i in range(0, len(body), 100_000):
        slowly += [lambda connection: time.sleep(0.005), body[i : i + 100_000]]
    caught: list[int] = []

    with serving(slowly) as (server, connection):
        interrupts(lambda number, frame: caught.append(number))
        response = connection.request("POST", "/", (), [body])

    assert response.body == body
    assert server.requests[0].endswith(body)
    assert len(caught) > 10


def test_a_signal_handler_that_raises_closes_the_connection(interrupts: Any):
    class Stop(BaseException):
        pass

    def stop(number: int, frame: Any) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Stop

    wait: Step = lambda connection: time.sleep(0.2)  # noqa: E731
    with serving([LENGTH[:30], wait, CLOSE], [EMPTY]) as (server, connection):
        interrupts(stop)
        with pytest.raises(Stop):
            get(connection)
        # The rest of that response is not taken for this one.
        assert get(connection).status == 202

    assert server.connections == 2
