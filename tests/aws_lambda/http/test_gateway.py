"""What the gateway does for every event source: options, limits, request IDs."""

import json
import logging
from typing import Any

import pytest

from apps.aws_lambda import conf, handlers
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext, Request
from tests.aws_lambda.site import (
    Site,
    buffered,
    get,
    read_error,
    send,
    send_and_keep_result,
)
from tests.events import accepting, load_event

ALB = ["alb_multi", "alb_single"]


# Options


@pytest.mark.parametrize(
    "arguments",
    [
        {"base_path": "shop"},
        {"base_path": "/shop?x"},
        {"base_path": "/sh op"},
        {"base_path": "/shöp"},
        {"base_path": "//"},
        {"scheme": "ftp"},
        {"trusted_proxies": 0},
        {"origin_secret": "short"},
        {"origin_secret": "with a space " * 4},
        {"origin_secret": "ä" * 40},
        {"origin_secret": "s" * 40 + ",short"},
    ],
)
def test_an_invalid_option_is_rejected(arguments: dict[str, Any]):
    [name] = arguments

    with pytest.raises(ValueError, match=name):
        make_handler(Site(), **arguments)


@pytest.mark.parametrize(
    ("setting", "value", "key", "expected"),
    [
        ("LAMBDA_BASE_PATH", "/shop", "SCRIPT_NAME", "/shop"),
        ("LAMBDA_URL_SCHEME", "http", "wsgi.url_scheme", "http"),
        ("LAMBDA_TRUSTED_PROXIES", 2, "REMOTE_ADDR", "198.51.100.1"),
    ],
)
def test_settings_are_options_of_the_gateway(
    settings, monkeypatch, setting: str, value: Any, key: str, expected: str
):
    site = Site()
    monkeypatch.setattr(handlers, "load_application", lambda: site.application)
    setattr(settings, setting, value)
    assert setting in conf.DEFAULTS
    event = load_event("http_default")
    if key == "REMOTE_ADDR":
        event = load_event("alb_single")
        event["headers"]["x-forwarded-for"] = "6.6.6.6, 198.51.100.1, 203.0.113.9"

    handlers.http()(event, LambdaContext())

    assert site.environ[key] == expected


@pytest.mark.parametrize("name", [name for name in EVENT_SOURCES if name not in ALB])
def test_the_scheme_can_be_configured(name: str) -> None:
    site = Site()

    send(EVENT_SOURCES[name], site, get(EVENT_SOURCES[name]), scheme="http")

    assert site.environ["wsgi.url_scheme"] == "http"


# Limits


def not_called(environ, start_response):
    raise AssertionError("the application was called")


@pytest.mark.parametrize(
    ("name", "limit", "file"),
    [
        ("rest_stage_post", 6_291_556, "4.5 MB"),
        ("http_default_post", 6_291_556, "4.5 MB"),
        ("alb_multi", 1_048_576, "0.7 MB"),
    ],
)
def test_a_request_over_the_limit_is_rejected_with_the_size_of_a_file(
    name: str, limit: int, file: str, caplog: pytest.LogCaptureFixture
):
    event = load_event(name, body="A" * (limit + 4), isBase64Encoded=True)

    result = make_handler(not_called)(accepting(event, "application/json"), None)

    body = json.loads(result["body"])
    assert result["statusCode"] == body["statusCode"] == 413
    assert body["error"] == "request_too_large"
    assert file in body["message"]
    assert body["requestId"]
    [warning] = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert f"{limit + 4:,}" in warning
    assert f"{limit:,}" in warning


@buffered
@pytest.mark.parametrize("content_type", ["text/html; charset=utf-8", "image/png"])
def test_a_response_over_the_limit_is_an_error_with_its_size(
    event_source: EventSource, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site(
        headers=[("Content-Type", content_type)],
        chunks=[b"x" * (event_source.max_response + 1)],
    )

    with caplog.at_level(logging.ERROR, logger="apps.aws_lambda"):
        response = send(event_source, site, get(event_source))

    error = read_error(response)
    assert (response.status, error["error"]) == (500, "response_too_large")
    [logged] = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert f"{event_source.max_response:,} bytes" in logged.getMessage()


@buffered
def test_an_error_keeps_no_header_of_the_response(
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

    result, response = send_and_keep_result(
        event_source, Site(headers=headers, chunks=[b"x" * size]), get(event_source)
    )

    assert read_error(response)["error"] == "response_too_large"
    for name in ("Content-Encoding", "Set-Cookie", "ETag"):
        assert response.values(name) == []
    assert str(size) not in str(result.get("headers", result.get("multiValueHeaders")))
    assert "public" not in "".join(response.values("Cache-Control"))


def test_a_head_request_for_a_large_page_is_served(event_source: EventSource) -> None:
    site = Site(chunks=[b"x" * (event_source.max_response + 1)])

    response = send(
        event_source, site.application, Request("HEAD", f"{event_source.prefix}/")
    )

    assert response.status == 200


@pytest.mark.parametrize(
    "name", ["rest_stage", "http_default", "http_v1_default", "alb_multi"]
)
@pytest.mark.parametrize("kind", ["text", "quotes", "accents", "bytes"])
def test_a_response_near_the_limit_causes_no_fault(name: str, kind: str) -> None:
    event_source = EVENT_SOURCES[name]
    unit = {"text": b"x", "quotes": b'"', "accents": "é".encode(), "bytes": b"\xff"}[
        kind
    ]
    content_type = "image/png" if kind == "bytes" else "text/plain; charset=utf-8"
    # JSON escapes a quote with a second byte, and base64 encodes 3 bytes as 4.
    cost = {"text": 1.0, "quotes": 2.0, "accents": 1.0, "bytes": 4 / 3}[kind]

    for margin in (-2000, -300, -150, -100, -60, -30, 0, 60):
        size = int((event_source.max_response + margin) / cost) // len(unit) * len(unit)
        site = Site(
            headers=[("Content-Type", content_type)],
            chunks=[unit * (size // len(unit))],
        )
        response = send(event_source, site, get(event_source))
        assert response.fault == ""
        if margin == -2000:
            assert response.status == 200


def test_headers_count_towards_the_response_limit():
    headers = [("Content-Type", "image/png"), ("X-Long", "y" * 160_000)]
    site = Site(headers=headers, chunks=[b"x" * 4_700_000])

    event = accepting(load_event("http_default"), "*/*")
    result = make_handler(site)(event, LambdaContext())

    assert json.loads(result["body"])["error"] == "response_too_large"


# The request ID


def test_a_client_cannot_forge_the_request_id(event_source: EventSource) -> None:
    site = Site()
    context = LambdaContext()
    events: list[dict[str, Any]] = []
    handler = make_handler(site, **event_source.handler_options)

    def keep(event: dict[str, Any], _: object) -> Any:
        events.append(event)
        return handler(event, context)

    request = get(
        event_source,
        "/",
        ("X-Request-ID", "forged"),
        ("X-Amzn-RequestId", "forged"),
        ("Aws-Lambda.Request-Id", "forged"),
        ("X-Amzn-Trace-Id", "forged"),
    )
    event_source.send(keep, request)

    assigned = events[0]["requestContext"].get("requestId", context.aws_request_id)
    assert site.environ["aws_lambda.request_id"] == assigned


def test_an_error_has_the_request_id(
    event_source: EventSource,
) -> None:
    environs: list[dict[str, Any]] = []

    def application(environ: Any, start_response: Any) -> Any:
        environs.append(environ)
        raise RuntimeError

    response = send(event_source, application, get(event_source))

    assert read_error(response)["requestId"] == environs[0]["aws_lambda.request_id"]
