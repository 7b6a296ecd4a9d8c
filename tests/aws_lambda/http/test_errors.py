"""Applications that fail, over all event sources."""

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EventSource, LambdaContext, Request
from tests.aws_lambda.site import (
    Site,
    buffered,
    get,
    read_error,
    send,
)
from tests.events import load_event
from tests.runtimes import OWN


@pytest.mark.parametrize(
    "raised", [RuntimeError("secret"), SystemExit(1), SystemExit("secret")]
)
def test_an_application_that_raises_is_an_error(
    event_source: EventSource, raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise raised

    with caplog.at_level(logging.ERROR):
        response = send(event_source, application, get(event_source))

    assert (response.status, read_error(response)["error"]) == (500, "internal_error")
    assert b"secret" not in response.body
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit]
)
def test_no_exception_escapes_the_handler(
    error: type[BaseException],
):
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise error

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert result["statusCode"] == 500
    assert result["headers"]["cache-control"] == "no-store"


def test_the_handler_serves_after_an_error(event_source: EventSource) -> None:
    answers = iter([RuntimeError(), SystemExit(), None])

    def application(environ: Any, start_response: Any) -> Any:
        answer = next(answers)
        if answer:
            raise answer
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]

    handler = make_handler(application, **event_source.handler_options)
    statuses = [
        event_source.send(handler, get(event_source), LambdaContext()).status
        for _ in range(3)
    ]

    assert statuses == [500, 500, 200]


def test_an_application_without_a_response_is_an_error(
    event_source: EventSource,
) -> None:
    response = send(
        event_source, lambda environ, start_response: [b"x"], get(event_source)
    )

    assert (response.status, read_error(response)["error"]) == (500, "internal_error")


@buffered
def test_a_stream_that_raises_is_an_error(
    event_source: EventSource, caplog: pytest.LogCaptureFixture
) -> None:
    def stream() -> Iterator[bytes]:
        yield b"half a page"
        raise RuntimeError("database password is hunter2")

    with caplog.at_level(logging.ERROR):
        response = send(event_source, Site(chunks=stream()), get(event_source))

    assert (response.status, read_error(response)["error"]) == (500, "internal_error")
    assert b"hunter2" not in response.body
    assert b"half a page" not in response.body
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


@buffered
def test_a_stream_that_exits_is_an_error(event_source: EventSource) -> None:
    def stream() -> Iterator[bytes]:
        yield b"x"
        raise SystemExit(3)

    response = send(event_source, Site(chunks=stream()), get(event_source))

    assert (response.status, read_error(response)["error"]) == (500, "internal_error")


def test_a_stream_that_fails_to_close_is_an_error_if_it_is_closed_before_the_answer(
    event_source: EventSource,
) -> None:
    class Broken(list[bytes]):
        def close(self) -> None:
            raise RuntimeError("secret")

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Broken([b"x"])

    response = send(event_source, application, get(event_source))

    status = 200 if OWN or event_source.streams else 500
    assert (response.status, b"secret" in response.body) == (status, False)


@buffered
@pytest.mark.parametrize("chunks", [["text"], [None], [b"x", 7]])
def test_a_body_that_is_not_bytes_is_an_error(
    event_source: EventSource, chunks: Any
) -> None:
    response = send(event_source, Site(chunks=chunks).application, get(event_source))

    assert (response.status, read_error(response)["error"]) == (500, "internal_error")


@pytest.mark.parametrize("status", ["", "OK", "200", "abc def", "99 Low", "1000 High"])
def test_an_invalid_status_causes_no_fault(
    event_source: EventSource, status: str
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, [("Content-Type", "text/plain")])
        return [b"x"]

    response = send(event_source, application, get(event_source))

    assert (response.status, response.fault) in [(200, ""), (500, "")]


def test_an_error_on_head_has_no_body(event_source: EventSource) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise RuntimeError

    response = send(
        event_source, application, Request("HEAD", f"{event_source.prefix}/")
    )

    assert (response.status, response.body, response.fault) == (500, b"", "")


# Invalid headers


@pytest.mark.parametrize("line", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb", "a\x00b"])
@pytest.mark.parametrize("name", ["X-Next", "Set-Cookie", "Location", "Content-Type"])
def test_a_header_value_cannot_contain_a_line_break(
    event_source: EventSource, name: str, line: str
) -> None:
    site = Site(headers=[(name, line)])

    # wsgiref.validate would reject it before the gateway does.
    response = send(event_source, site.application, get(event_source))

    assert response.fault == ""
    assert response.values("X-Evil") == []
    assert not any(c in value for _, value in response.headers for c in "\r\n\x00")


@pytest.mark.parametrize("name", ["X-A\r\nX-Evil", "X-A: 1\nX-Evil", "X A", ""])
def test_a_header_name_cannot_contain_a_line_break(
    event_source: EventSource, name: str
) -> None:
    response = send(
        event_source, Site(headers=[(name, "1")]).application, get(event_source)
    )

    assert response.fault == ""
    assert response.values("X-Evil") == []


@pytest.mark.parametrize("value", ["a\x01b", "a\x7fb", "\udc80", "東京"])
def test_an_invalid_header_value_is_an_error(value: str):
    site = Site(headers=[("x-a", value)], chunks=[b"x" * 2_000_000])

    result = make_handler(site.application)(load_event("http_default"), LambdaContext())

    assert result["statusCode"] == 500
