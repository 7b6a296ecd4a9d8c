"""Applications that fail, over all doors: a clear error, and nothing leaks."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.http.gateway import make_handler
from apps.aws_lambda.test import DOORS, Door, LambdaContext, Request, Response
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
def test_header_value_cannot_smuggle_a_line(door: Door, name: str, line: str) -> None:
    site = Site(headers=[(name, line)])

    # wsgiref.validate would stop it before the gateway can.
    response = visit(door, site.application, get(door))

    assert response.fault == ""
    assert response.values("X-Evil") == []
    assert not any(c in value for _, value in response.headers for c in "\r\n\x00")


@pytest.mark.parametrize("name", ["X-A\r\nX-Evil", "X-A: 1\nX-Evil", "X A", ""])
def test_header_name_cannot_smuggle_a_line(door: Door, name: str) -> None:
    response = visit(door, Site(headers=[(name, "1")]).application, get(door))

    assert response.fault == ""
    assert response.values("X-Evil") == []


def test_stream_that_breaks_is_closed_once_and_answered_with_500(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    def stream() -> Iterator[bytes]:
        yield b"half a page"
        raise RuntimeError("database password is hunter2")

    with caplog.at_level(logging.ERROR):
        response = visit(door, Site(chunks=stream()), get(door))

    assert (response.status, error(response)["error"]) == (500, "internal_error")
    assert b"hunter2" not in response.body
    assert b"half a page" not in response.body
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    "raised", [RuntimeError("secret"), SystemExit(1), SystemExit("secret")]
)
def test_application_that_fails_is_answered_with_500(
    door: Door, raised: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise raised

    with caplog.at_level(logging.ERROR):
        response = visit(door, application, get(door))

    assert (response.status, error(response)["error"]) == (500, "internal_error")
    assert b"secret" not in response.body
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_stream_that_exits_is_answered_with_500(door: Door) -> None:
    def stream() -> Iterator[bytes]:
        yield b"x"
        raise SystemExit(3)

    response = visit(door, Site(chunks=stream()), get(door))

    assert (response.status, error(response)["error"]) == (500, "internal_error")


def test_stream_that_cannot_be_closed_is_answered_with_500(door: Door) -> None:
    class Broken(list[bytes]):
        def close(self) -> None:
            raise RuntimeError("secret")

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return Broken([b"x"])

    response = visit(door, application, get(door))

    assert (response.status, b"secret" in response.body) == (500, False)


def test_application_that_never_starts_a_response_is_answered_with_500(
    door: Door,
) -> None:
    response = visit(door, lambda environ, start_response: [b"x"], get(door))

    assert (response.status, error(response)["error"]) == (500, "internal_error")


def test_request_id_of_an_error_is_the_one_of_the_request(door: Door) -> None:
    environs: list[dict[str, Any]] = []

    def application(environ: Any, start_response: Any) -> Any:
        environs.append(environ)
        raise RuntimeError

    response = visit(door, application, get(door))

    assert error(response)["requestId"] == environs[0]["aws_lambda.request_id"]


def test_error_to_head_has_no_body(door: Door) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        raise RuntimeError

    response = visit(door, application, Request("HEAD", f"{door.prefix}/"))

    assert (response.status, response.body, response.fault) == (500, b"", "")


@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "image/png"])
def test_response_beyond_the_limit_is_a_clear_error(
    door: Door, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(
        headers=[("Content-Type", content_type)],
        chunks=[b"x" * (door.max_response + 1)],
    )

    with caplog.at_level(logging.ERROR, logger="apps.aws_lambda"):
        response = visit(door, site, get(door))

    assert (response.status, error(response)["error"]) == (500, "response_too_large")
    digits = error(response)["message"].replace(",", "").replace(" ", "")
    assert str(door.max_response) in digits or "MB" in digits
    assert [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_error_has_none_of_the_headers_of_the_response_it_replaces(door: Door) -> None:
    size = door.max_response + 1
    headers = [
        ("Content-Type", "text/html"),
        ("Content-Encoding", "gzip"),
        ("Content-Length", str(size)),
        ("Set-Cookie", "sessionid=abc"),
        ("ETag", '"1"'),
        ("Cache-Control", "public, max-age=600"),
    ]

    result, response = visit_and_keep(
        door, Site(headers=headers, chunks=[b"x" * size]), get(door)
    )

    assert error(response)["error"] == "response_too_large"
    for name in ("Content-Encoding", "Set-Cookie", "ETag"):
        assert response.values(name) == []
    assert str(size) not in str(result.get("headers", result.get("multiValueHeaders")))
    assert "public" not in "".join(response.values("Cache-Control"))


def test_head_of_a_large_page_is_no_error(door: Door) -> None:
    site = Site(chunks=[b"x" * (door.max_response + 1)])

    response = visit(door, site.application, Request("HEAD", f"{door.prefix}/"))

    assert response.status == 200


@pytest.mark.parametrize("chunks", [["text"], [None], [b"x", 7]])
def test_application_that_makes_no_bytes_is_answered_with_500(
    door: Door, chunks: Any
) -> None:
    response = visit(door, Site(chunks=chunks).application, get(door))

    assert (response.status, error(response)["error"]) == (500, "internal_error")


@pytest.mark.parametrize("status", ["", "OK", "200", "abc def", "99 Low", "1000 High"])
def test_application_without_a_proper_status_does_not_break_the_door(
    door: Door, status: str
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, [("Content-Type", "text/plain")])
        return [b"x"]

    response = visit(door, application, get(door))

    assert (response.status, response.fault) in [(200, ""), (500, "")]


@pytest.mark.parametrize(
    "name", ["rest_stage", "http_default", "http_v1_default", "alb_multi"]
)
@pytest.mark.parametrize("kind", ["text", "quotes", "accents", "bytes"])
def test_no_response_near_the_limit_becomes_an_opaque_error(
    name: str, kind: str
) -> None:
    door = DOORS[name]
    unit = {"text": b"x", "quotes": b'"', "accents": "é".encode(), "bytes": b"\xff"}[
        kind
    ]
    content_type = "image/png" if kind == "bytes" else "text/plain; charset=utf-8"
    # JSON doubles quotes, and base64 makes four bytes of three.
    cost = {"text": 1.0, "quotes": 2.0, "accents": 1.0, "bytes": 4 / 3}[kind]

    for margin in (-2000, -300, -150, -100, -60, -30, 0, 60):
        size = int((door.max_response + margin) / cost) // len(unit) * len(unit)
        site = Site(
            headers=[("Content-Type", content_type)],
            chunks=[unit * (size // len(unit))],
        )
        response = visit(door, site, get(door))
        assert response.fault == ""
        if margin == -2000:
            assert response.status == 200


def test_handler_survives_any_failure(door: Door) -> None:
    answers = iter([RuntimeError(), SystemExit(), None])

    def application(environ: Any, start_response: Any) -> Any:
        answer = next(answers)
        if answer:
            raise answer
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"fine"]

    handler = make_handler(application, **door.handler_options)
    statuses = [door.send(handler, get(door), LambdaContext()).status for _ in range(3)]

    assert statuses == [500, 500, 200]
