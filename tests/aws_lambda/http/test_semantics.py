"""Responses as RFC 9110 allows them, over all event sources."""

import json
import logging
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.http import response as http_response
from apps.aws_lambda.http.response import result_bytes
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext, Request
from tests.aws_lambda.site import Site, get, send, send_and_keep_result
from tests.events import load_event


def head(event_source: EventSource) -> Request:
    return Request("HEAD", f"{event_source.prefix}/")


def result_headers(result: dict[str, Any]) -> dict[str, list[str]]:
    """Return the headers of a result by their names in lower case."""
    headers: dict[str, list[str]] = {}
    for name, values in (result.get("multiValueHeaders") or result["headers"]).items():
        values = values if isinstance(values, list) else [values]
        headers.setdefault(name.lower(), []).extend(values)
    return headers


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Oops"])
def test_head_has_no_body_and_the_length_of_get(event_source: EventSource, status: str):
    site = Site(status=status, chunks=[b"hello"])

    result, response = send_and_keep_result(
        event_source, site.application, head(event_source)
    )

    assert result["body"] == ""
    assert response.body == b""


def test_head_keeps_the_length_that_the_application_gives(event_source: EventSource):
    site = Site(headers=[("Content-Length", "1234")], chunks=[])

    result, _ = send_and_keep_result(event_source, site.application, head(event_source))

    assert result_headers(result)["content-length"] == ["1234"]


def test_head_over_the_limit_is_answered_without_a_body(event_source: EventSource):
    large = b"x" * (event_source.max_response + 1)
    site = Site(headers=[("Content-Type", "text/plain")], chunks=[large])

    result, response = send_and_keep_result(
        event_source, site.application, head(event_source)
    )

    assert (result["statusCode"], result["body"]) == (200, "")
    assert response.fault == ""


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("length", ["0", "5"])
def test_204_and_304_have_neither_body_nor_length(
    event_source: EventSource, status: str, length: str
):
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, [("Content-Length", length), ("ETag", '"a"')])
        return [b"hello"]

    result, _ = send_and_keep_result(event_source, application, get(event_source))

    assert result["body"] == ""
    assert "content-length" not in result_headers(result)
    assert result_headers(result)["etag"] == ['"a"']


@pytest.mark.parametrize("length", ["5", "6", "0", "-1", "five", "5, 5", ""])
def test_a_content_length_is_that_of_the_body(event_source: EventSource, length: str):
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", length)])
        return [b"hello"]

    result, response = send_and_keep_result(
        event_source, application, get(event_source)
    )

    assert result_headers(result).get("content-length", ["5"]) == ["5"]
    assert response.body == b"hello"


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Connection"),
        *("TE", "Trailer", "Transfer-Encoding", "Upgrade"),
    ],
)
def test_a_hop_by_hop_header_is_dropped_with_one_warning(
    event_source: EventSource, name: str, caplog: pytest.LogCaptureFixture
):
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [(name, "x"), ("X-Kept", "1")])
        return [b""]

    http_response._name.cache_clear()

    for _ in range(2):
        result, _ = send_and_keep_result(event_source, application, get(event_source))

    assert name.lower() not in result_headers(result)
    assert result_headers(result)["x-kept"] == ["1"]
    [warning] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert name.lower() in warning.getMessage()


@pytest.mark.parametrize(
    "name", ["Content-Type", "Location", "ETag", "X-Frame-Options"]
)
def test_of_a_repeated_single_value_header_the_last_counts(
    event_source: EventSource, name: str
):
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [(name, "first"), (name, "second")])
        return [b""]

    response = send(event_source, application, get(event_source))

    assert response.values(name) == ["second"]


def test_a_request_over_the_limit_has_no_body_in_the_answer_to_head():
    event = load_event("alb_multi", httpMethod="HEAD", body="x" * 1_100_000)

    result = make_handler(Site())(event, LambdaContext())

    assert (result["statusCode"], result["body"]) == (413, "")


@pytest.mark.parametrize(
    ("name", "refused"),
    [(name, "http_" in name or "rest" in name) for name in EVENT_SOURCES],
)
def test_headers_over_the_limit_of_api_gateway_are_an_error(
    name: str, refused: bool, caplog: pytest.LogCaptureFixture
):
    event_source = EVENT_SOURCES[name]
    site = Site(headers=[("X-Large", "x" * 10_300)])

    response = send(event_source, site.application, get(event_source))

    assert response.status == (500 if refused else 200)
    if refused:
        assert json.loads(response.body)["error"] == "response_too_large"
        assert "10,240" in caplog.text


@given(st.text())
@example('"\\\b\f\n\r\t')
@example("\x00\x01\x0b\x1f\x7f")
@example("日本\u2028\u2029😀")
def test_the_size_of_a_result_is_that_of_its_json(text: str):
    body = text.encode("utf-8", "ignore")
    for event_source in (None, "base64"):
        encoded = event_source == "base64"
        result = {
            "statusCode": 200,
            "headers": {"a": "é"},
            "body": "YQ==" if encoded else body.decode(),
            "isBase64Encoded": encoded,
        }
        written = json.dumps(result, ensure_ascii=False)

        assert result_bytes(result, body) == len(written.encode())
