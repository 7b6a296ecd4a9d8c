"""Applications that fail, over all event sources: a clear error, and nothing leaks."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import (
    EVENT_SOURCES,
    EventSource,
    LambdaContext,
    Request,
    Response,
)
from tests.aws_lambda.site import Site, get, visit, visit_and_keep


def error(response: Response) -> dict[str, Any]:
    """Return the JSON body of an error, which always has these keys."""
    assert response.fault == ""
    body: dict[str, Any] = json.loads(response.body)
    assert set(body) == {"statusCode", "error", "message", "requestId", "timestamp"}
    assert body["statusCode"] == response.status
    assert response.values("x-request-id") == [body["requestId"]]
    assert response.values("content-type")[0].startswith("application/json")
    return body


@pytest.mark.parametrize("line", ["a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\rb", "a\x00b"])
@pytest.mark.parametrize("name", ["X-Next", "Set-Cookie", "Location", "Content-Type"])
def test_header_value_cannot_smuggle_a_line(
    event_source: EventSource, name: str, line: str
) -> None:
    site = Site(headers=[(name, line)])

    # wsgiref.validate would stop it before the gateway can.
    response = visit(event_source, site.application, get(event_source))

    assert response.fault == ""
    assert response.values("X-Evil") == []
    assert not any(c in value for _, value in response.headers for c in "\r\n\x00")


@pytest.mark.parametrize("name", ["X-A\r\nX-Evil", "X-A: 1\nX-Evil", "X A", ""])
def test_header_name_cannot_smuggle_a_line(
    event_source: EventSource, name: str
) -> None:
    response = visit(
        event_source, Site(headers=[(name, "1")]).application, get(event_source)
    )

    assert response.fault == ""
    assert response.values("X-Evil") == []


def test_stream_that_breaks_is_closed_once_and_answered_with_500(
    event_source: EventSource, caplog: pytest.LogCaptureFixture
) -> None:
    def stream() -> Iterator[bytes]:
        yield b"half a page"
        raise RuntimeError("database password is hunter2")

    with caplog.at_level(logging.ERROR):
        response = visit(event_source, Site(chunks=stream()), get(event_source))

    assert (response.status, error(response)["error"]) == (500, "internal_error")
    assert b"hunter2" not in response.body
    assert b"half a page" not in response.body
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "raised", [RuntimeError("secret"), SystemExit(1), SystemExit("secret")]
)
def test_application_that_fails_is_answered_with_500(
    event_source: EventSource, raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise raised

    with caplog.at_level(logging.ERROR):
        response = visit(event_source, application, get(event_source))

    assert (response.status, error(response)["error"]) == (500, "internal_error")
    assert b"secret" not in response.body
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_stream_that_exits_is_answered_with_500(event_source: EventSource) -> None:
    def stream() -> Iterator[bytes]:
        yield b"x"
        raise SystemExit(3)

    response = visit(event_source, Site(chunks=stream()), get(event_source))

    assert (response.status, error(response)["error"]) == (500, "internal_error")


def test_stream_that_cannot_be_closed_is_answered_with_500(
    event_source: EventSource,
) -> None:
    class Broken(list[bytes]):
        def close(self) -> None:
            raise RuntimeError("secret")

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Broken([b"x"])

    response = visit(event_source, application, get(event_source))

    assert (response.status, b"secret" in response.body) == (500, False)


def test_application_that_never_starts_a_response_is_answered_with_500(
    event_source: EventSource,
) -> None:
    response = visit(
        event_source, lambda environ, start_response: [b"x"], get(event_source)
    )

    assert (response.status, error(response)["error"]) == (500, "internal_error")


def test_request_id_of_an_error_is_the_one_of_the_request(
    event_source: EventSource,
) -> None:
    environs: list[dict[str, Any]] = []

    def application(environ: Any, start_response: Any) -> Any:
        environs.append(environ)
        raise RuntimeError

    response = visit(event_source, application, get(event_source))

    assert error(response)["requestId"] == environs[0]["aws_lambda.request_id"]


def test_error_to_head_has_no_body(event_source: EventSource) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise RuntimeError

    response = visit(
        event_source, application, Request("HEAD", f"{event_source.prefix}/")
    )

    assert (response.status, response.body, response.fault) == (500, b"", "")


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "image/png"])
def test_response_beyond_the_limit_is_a_clear_error(
    event_source: EventSource, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(
        headers=[("Content-Type", content_type)],
        chunks=[b"x" * (event_source.max_response + 1)],
    )

    with caplog.at_level(logging.ERROR, logger="apps.aws_lambda"):
        response = visit(event_source, site, get(event_source))

    assert (response.status, error(response)["error"]) == (500, "response_too_large")
    digits = error(response)["message"].replace(",", "").replace(" ", "")
    assert str(event_source.max_response) in digits or "MB" in digits
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_error_has_none_of_the_headers_of_the_response_it_replaces(
    event_source: EventSource,
) -> None:
    size = event_source.max_response + 1
    headers = [
        ("Content-Type", "text/html"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", str(size)),
        ("Set-Cookie", "sessionid=abc"),
        ("ETag", '"1"'),
        ("Cache-Control", "public, max-age=600"),
    ]

    result, response = visit_and_keep(
        event_source, Site(headers=headers, chunks=[b"x" * size]), get(event_source)
    )

    assert error(response)["error"] == "response_too_large"
    for name in ("Content-Encoding", "Set-Cookie", "ETag"):
        assert response.values(name) == []
    assert str(size) not in str(result.get("headers", result.get("multiValueHeaders")))
    assert "public" not in "".join(response.values("Cache-Control"))


def test_head_of_a_large_page_is_no_error(event_source: EventSource) -> None:
    site = Site(chunks=[b"x" * (event_source.max_response + 1)])

    response = visit(
        event_source, site.application, Request("HEAD", f"{event_source.prefix}/")
    )

    assert response.status == 200


@pytest.mark.parametrize("chunks", [["text"], [None], [b"x", 7]])
def test_application_that_makes_no_bytes_is_answered_with_500(
    event_source: EventSource, chunks: Any
) -> None:
    response = visit(event_source, Site(chunks=chunks).application, get(event_source))

    assert (response.status, error(response)["error"]) == (500, "internal_error")


@pytest.mark.parametrize("status", ["", "OK", "200", "abc def", "99 Low", "1000 High"])
def test_application_without_a_proper_status_does_not_break_the_event_source(
    event_source: EventSource, status: str
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, [("Content-Type", "text/plain")])
        return [b"x"]

    response = visit(event_source, application, get(event_source))

    assert (response.status, response.fault) in [(200, ""), (500, "")]


@pytest.mark.parametrize(
    "name", ["rest_stage", "http_default", "http_v1_default", "alb_multi"]
)
@pytest.mark.parametrize("kind", ["text", "quotes", "accents", "bytes"])
def test_no_response_near_the_limit_becomes_an_opaque_error(
    name: str, kind: str
) -> None:
    event_source = EVENT_SOURCES[name]
    unit = {"text": b"x", "quotes": b'"', "accents": "é".encode(), "bytes": b"\xff"}[
        kind
    ]
    content_type = "image/png" if kind == "bytes" else "text/plain; charset=utf-8"
    # JSON doubles quotes, and base64 makes four bytes of three.
    cost = {"text": 1.0, "quotes": 2.0, "accents": 1.0, "bytes": 4 / 3}[kind]

    for margin in (-2000, -300, -150, -100, -60, -30, 0, 60):
        size = int((event_source.max_response + margin) / cost) // len(unit) * len(unit)
        site = Site(
            headers=[("Content-Type", content_type)],
            chunks=[unit * (size // len(unit))],
        )
        response = visit(event_source, site, get(event_source))
        assert response.fault == ""
        if margin == -2000:
            assert response.status == 200


def test_handler_survives_any_failure(event_source: EventSource) -> None:
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
