"""Applications that do with a streamed response what they should not."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.http import gateway
from apps.aws_lambda.test import STREAMED_EVENT_SOURCES, LambdaContext, Request
from apps.aws_lambda.test.wire import Response
from tests.aws_lambda.site import read_error

SOURCE = STREAMED_EVENT_SOURCES["function_url_streamed"]
MARGIN = 0.5
AFTER_ANSWER = "An error occurred after the response was sent"


class Body:
    """An iterable of chunks that counts calls of ``close``."""

    def __init__(
        self, chunks: Iterable[Any], close: Callable[[], object] = lambda: None
    ) -> None:
        self.chunks, self.closed, self.then = iter(chunks), 0, close

    def __iter__(self) -> Iterator[Any]:
        return self.chunks

    def close(self) -> None:
        self.closed += 1
        self.then()


def site(body: Any, *headers: tuple[str, str], status: str = "200 OK") -> Any:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, list(headers))
        return body

    return application


def send(application: Any, method: str = "GET", seconds: float = 60) -> Response:
    handler = make_handler(application, streaming=True)
    context = LambdaContext(timeout=seconds)
    return SOURCE.send(handler, Request(method, "/"), context)


def access(caplog: pytest.LogCaptureFixture) -> Any:
    [line] = [r for r in caplog.records if r.name.endswith(".access")]
    return line


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="apps.aws_lambda")


def raising(error: BaseException) -> Callable[[], object]:
    def raised() -> None:
        raise error

    return raised


# Chunks


def test_chunks_of_any_buffer_are_sent_and_empty_ones_are_not():
    body = Body([b"", bytearray(b"a"), b"", memoryview(b"b"), b""])

    response = send(site(body))

    assert (response.chunks, response.cut) == ((b"a", b"b"), "")
    assert body.closed == 1


def test_empty_chunks_without_end_are_interrupted():
    def endless() -> Iterator[bytes]:
        while True:
            yield b""

    body = Body(endless())
    response = send(site(body), seconds=MARGIN + 0.05)

    assert read_error(response)["error"] == "deadline_exceeded"
    assert response.status == 504
    assert body.closed == 1


def test_a_body_that_cannot_be_iterated_is_an_error():
    class Broken(Body):
        def __iter__(self) -> Iterator[Any]:
            raise ValueError("secret")

    body = Broken([])
    response = send(site(body))

    assert (response.status, b"secret" in response.body) == (500, False)
    assert body.closed == 1


def test_a_body_that_was_read_before_is_empty():
    application = site(iter([b"a", b"b"]))

    assert [send(application).chunks for _ in range(2)] == [(b"a", b"b"), ()]


def test_a_stream_may_request_another_of_the_same_function():
    def chunks() -> Iterator[bytes]:
        yield b"first "
        yield SOURCE.send(handler, Request("GET", "/inner"), LambdaContext()).body
        yield b" last"

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        inner = environ["PATH_INFO"] == "/inner"
        return iter([b"in", b"ner"]) if inner else chunks()

    handler = make_handler(application, streaming=True)

    response = SOURCE.send(handler, Request("GET", "/"), LambdaContext())
    assert response.body == b"first inner last"


# Exceptions


@pytest.mark.parametrize(
    "error",
    [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit, OSError],
)
@pytest.mark.parametrize("sent", [0, 1])
def test_no_exception_of_a_stream_escapes(error: type[BaseException], sent: int):
    class Chunks:
        """Raise it as it is: a generator has other rules for some."""

        number = 0

        def __iter__(self) -> Iterator[bytes]:
            return self

        def __next__(self) -> bytes:
            self.number += 1
            if self.number > sent:
                raise error
            return b"first"

    body = Body(Chunks())
    response = send(site(body))

    if sent:
        assert (response.body, response.cut) == (b"first", "Application.Failed")
    else:
        assert (response.status, response.cut) == (500, "")
    assert body.closed == 1


def test_a_generator_that_raises_stop_iteration_has_failed():
    def chunks() -> Iterator[bytes]:
        yield b"first"
        raise StopIteration

    assert send(site(chunks())).cut == "Application.Failed"


@pytest.mark.parametrize("error", [ValueError("in close"), SystemExit(3)])
def test_a_stream_that_fails_to_close_is_complete(
    error: BaseException, caplog: pytest.LogCaptureFixture
):
    body = Body([b"a", b"b"], raising(error))

    response = send(site(body))

    assert (response.chunks, response.cut) == ((b"a", b"b"), "")
    assert (body.closed, access(caplog).response_bytes) == (1, 2)
    assert AFTER_ANSWER in caplog.text


def test_a_stream_that_fails_and_fails_to_close_has_both_in_the_log(
    caplog: pytest.LogCaptureFixture,
):
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("in the stream")

    body = Body(chunks(), raising(TypeError("in close")))

    response = send(site(body))

    assert (response.body, response.cut) == (b"a", "Application.Failed")
    assert body.closed == 1
    assert "ValueError: in the stream" in caplog.text
    assert "TypeError: in close" in caplog.text
    assert access(caplog).cut == "error"


def test_a_stream_that_hangs_in_close_is_interrupted_once(
    caplog: pytest.LogCaptureFixture,
):
    def hang() -> None:
        while True:
            pass

    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise ValueError("in the stream")

    body = Body(chunks(), hang)

    response = send(site(body), seconds=MARGIN + 0.05)

    assert (response.body, response.cut) == (b"a", "Deadline.Exceeded")
    assert body.closed == 1
    # What it was about is not lost.
    assert "ValueError: in the stream" in caplog.text
    assert access(caplog).cut == "deadline"


def test_a_complete_stream_that_hangs_in_close_is_complete(
    caplog: pytest.LogCaptureFixture,
):
    def hang() -> None:
        while True:
            pass

    body = Body([b"a", b"b"], hang)

    response = send(site(body), seconds=MARGIN + 0.05)

    assert (response.body, response.cut) == (b"ab", "")
    assert AFTER_ANSWER in caplog.text
    assert not hasattr(access(caplog), "cut")


# Lengths


def test_a_first_chunk_over_the_content_length_is_cut():
    body = Body([b"hello", b" world"])

    response = send(site(body, ("Content-Length", "3")))

    assert (response.body, response.cut) == (b"hel", "Application.WrongLength")
    assert body.closed == 1


def test_a_stream_without_a_chunk_is_shorter_than_its_content_length():
    response = send(site(Body([]), ("Content-Length", "3")))

    assert (response.body, response.cut) == (b"", "Application.WrongLength")


@pytest.mark.parametrize("length", ["", "five", "-1", "5, 5"])
def test_a_stream_leaves_without_a_content_length_that_is_not_one(length: str):
    response = send(site(Body([b"a", b"b"]), ("Content-Length", length)))

    assert (response.body, response.cut) == (b"ab", "")
    assert response.values("content-length") == []


@pytest.mark.parametrize("given", ["8", None])
def test_head_of_a_stream_has_the_length_that_the_application_gives(given: str | None):
    headers = [("Content-Length", given)] if given else []
    body = Body([b"1234", b"5678"])

    response = send(site(body, *headers), "HEAD")

    assert response.values("content-length") == ([given] if given else [])
    assert (response.body, response.cut, body.closed) == (b"", "", 1)


def test_head_of_a_page_has_the_length_of_get():
    assert send(site([b"12", b"34"]), "HEAD").values("content-length") == ["4"]


def test_a_page_over_the_limit_of_a_stream_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gateway, "MAX_STREAM_BYTES", 10)

    assert send(site([b"1234567890"])).status == 200
    response = send(site([b"12345", b"678901"]))

    assert read_error(response)["error"] == "response_too_large"


# Statuses and headers


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        # JSON has two bytes for each, and API Gateway counts one in the header.
        ("rest_streamed", '"' * 8000, 200),
        ("rest_streamed", '"' * 9000, 500),
        ("rest_streamed", "\\" * 9000, 500),
        ("rest_streamed", "x" * 9000, 200),
        ("rest_streamed", "x" * 11000, 500),
        ("function_url_streamed", '"' * 9000, 200),
    ],
)
def test_headers_that_the_event_source_would_not_read_as_json_are_an_error(
    name: str, value: str, status: int, caplog: pytest.LogCaptureFixture
):
    body = Body([b"a", b"b"])
    handler = make_handler(site(body, ("X-Long", value)), streaming=True)

    response = STREAMED_EVENT_SOURCES[name].send(
        handler, Request("GET", "/"), LambdaContext()
    )

    assert (response.status, body.closed) == (status, 1)
    assert access(caplog).status == status
    if status == 500:
        assert read_error(response)["error"] == "response_too_large"
        assert response.values("X-Long") == []
        [error] = [r.getMessage() for r in caplog.records if r.levelname == "ERROR"]
        assert "The response headers are " in error
        assert "Set fewer or smaller cookies and headers." in error


@pytest.mark.parametrize("status", ["100 Continue", "101 Switching Protocols", "600 X"])
def test_a_stream_with_an_invalid_status_is_an_error(status: str):
    body = Body([b"a", b"b"])

    assert send(site(body, status=status)).status == 500
    assert body.closed == 1


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\n\n<script>", "\0" * 8])
def test_a_header_cannot_end_the_headers_of_a_stream(value: str):
    body = Body([b"a", b"b"])

    response = send(site(body, ("X-Own", value)))

    assert (response.status, response.values("x-evil")) == (500, [])
    assert b"script" not in response.body
    assert body.closed == 1


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_stream_with_a_status_without_a_body_has_none(status: str):
    body = Body([b"a", b"b"])

    response = send(site(body, ("Content-Length", "2"), status=status))

    assert (response.body, response.values("content-length")) == (b"", [])
    assert body.closed == 1


def test_a_body_may_contain_the_end_of_the_prelude():
    body = [b'{"statusCode": 500}' + bytes(8), bytes(16)]

    assert send(site(Body(body))).body == b"".join(body)
