"""The rarer turns of the gateway, each of which somebody relies on."""

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from apps.aws_lambda import conf, handlers
from apps.aws_lambda.events import UnsupportedEvent
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.invocation import request_id
from apps.aws_lambda.test import LambdaContext
from tests.events import load_event

Environ = dict[str, Any]


class Application:
    """Answer with these headers and chunks, and keep the environ."""

    def __init__(self, *chunks: bytes, status: str = "200 OK", **headers: str) -> None:
        self.chunks = chunks
        self.status = status
        self.headers = {"content_type": "text/plain", **headers}
        self.environ: Environ = {}

    def __call__(self, environ: Environ, start_response: Any) -> list[bytes]:
        self.environ = environ
        headers = [(k.replace("_", "-"), v) for k, v in self.headers.items()]
        start_response(self.status, headers)
        return list(self.chunks)


def environ(event: dict[str, Any], **options: Any) -> Environ:
    application = Application()
    make_handler(application, **options)(event, LambdaContext())
    return application.environ


# Arguments


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
    ],
)
def test_an_argument_that_cannot_be_right_is_refused(arguments: dict[str, Any]):
    [name] = arguments

    with pytest.raises(ValueError, match=name):
        make_handler(Application(), **arguments)


@pytest.mark.parametrize(
    ("setting", "value", "key", "expected"),
    [
        ("LAMBDA_BASE_PATH", "/shop", "SCRIPT_NAME", "/shop"),
        ("LAMBDA_URL_SCHEME", "http", "wsgi.url_scheme", "http"),
        ("LAMBDA_TRUSTED_PROXIES", 2, "REMOTE_ADDR", "198.51.100.1"),
    ],
)
def test_the_settings_reach_the_handler(
    settings, monkeypatch, setting: str, value: Any, key: str, expected: str
):
    application = Application()
    monkeypatch.setattr(handlers, "get_wsgi_application", lambda: application)
    setattr(settings, setting, value)
    assert setting in conf.DEFAULTS
    event = load_event("http_default")
    if key == "REMOTE_ADDR":
        event = load_event("alb_single")
        event["headers"]["x-forwarded-for"] = "6.6.6.6, 198.51.100.1, 203.0.113.9"

    handlers.http()(event, LambdaContext())

    assert application.environ[key] == expected


# Prefixes


def test_a_slash_as_base_path_puts_the_site_at_the_root():
    seen = environ(load_event("rest_stage_root"), base_path="/")

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", "/")


@pytest.mark.parametrize("stage", [None, "$default"])
def test_without_a_named_stage_there_is_no_prefix(stage: str | None):
    event = load_event("http_default", rawPath=f"/{stage}/page")
    event["requestContext"]["stage"] = stage

    seen = environ(event)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("", f"/{stage}/page")


@pytest.mark.parametrize(
    ("path", "public", "expected"),
    [
        ("/a/", "/prod/a/", ("/prod", "/a/")),
        ("/a", "/prod//a", ("/prod", "//a")),
        ("/a", "/a", ("", "/a")),
        ("/", "/prod", ("/prod", "/")),
    ],
)
def test_a_stage_is_what_stands_before_the_path(
    path: str, public: str, expected: tuple[str, str]
):
    event = load_event("rest_stage", path=path, pathParameters={"proxy": path[1:]})
    event["requestContext"]["path"] = public

    seen = environ(event)

    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == expected


@pytest.mark.parametrize("path", ["x", ""])
def test_a_path_without_a_slash_is_refused(path: str):
    event = load_event("rest_stage", path=path, resource=None)
    event["requestContext"]["path"] = f"prod{path}"

    with pytest.raises(UnsupportedEvent):
        environ(event)


def test_a_doubled_slash_does_not_get_into_the_prefix():
    event = load_event("rest_stage", path="//x", pathParameters={"proxy": "x"})
    event["requestContext"]["path"] = "/prod//x"

    assert environ(event)["SCRIPT_NAME"] == "/prod"


# The client, the host, the cookies


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_the_port_of_a_client_is_no_part_of_its_address(written: str, address: str):
    event = load_event("alb_single")
    event["headers"]["x-forwarded-for"] = f"6.6.6.6, {written}"

    assert environ(event)["REMOTE_ADDR"] == address


def test_a_scheme_that_is_none_is_not_taken_from_a_balancer():
    event = load_event("alb_single")
    event["headers"]["x-forwarded-proto"] = "gopher"

    assert environ(event)["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("name", ["rest_stage", "http_default"])
def test_without_a_host_header_the_gateways_domain_is_the_host(name: str):
    event = load_event(name, headers={}, multiValueHeaders={})

    seen = environ(event)

    assert seen["SERVER_NAME"] == event["requestContext"]["domainName"]
    assert seen["SERVER_PORT"] == "443"


def test_cookies_that_are_no_list_are_refused():
    with pytest.raises(UnsupportedEvent):
        environ(load_event("http_default", cookies="a=1"))


def test_a_websocket_event_in_the_clothes_of_a_rest_api_is_refused():
    event = load_event("rest_stage")
    event["requestContext"]["connectionId"] = "L0SM9cOFvHcCIhw="

    with pytest.raises(UnsupportedEvent, match="WebSocket"):
        environ(event)


@pytest.mark.parametrize("value", ["a\0b", "a\r\nb"])
def test_a_header_that_would_break_its_line_does_not_arrive(value: str):
    event = load_event("http_default")
    event["headers"]["x-odd"] = value

    assert "HTTP_X_ODD" not in environ(event)


@pytest.mark.parametrize("name", ["x odd", "x-odd:", "x-odd\r\ny", "x-ödd", ""])
def test_a_header_whose_name_is_none_does_not_arrive(name: str):
    event = load_event("http_default", headers={name: "s3cret"})

    assert "s3cret" not in [v for v in environ(event).values() if isinstance(v, str)]


def test_of_a_repeated_header_only_the_value_that_breaks_its_line_is_lost():
    event = load_event("rest_stage")
    event["multiValueHeaders"] |= {"x-odd": ["a", "b\nc", "é"], "x-bad": ["a\rb"]}

    seen = environ(event)

    assert seen["HTTP_X_ODD"] == "a, é".encode().decode("latin-1")
    assert "HTTP_X_BAD" not in seen


def test_a_cookie_that_would_break_its_line_does_not_arrive():
    event = load_event("http_default", cookies=["a=1", "b=2\r\nx: y", "c=é"])

    assert environ(event)["HTTP_COOKIE"] == "a=1; c=é".encode().decode("latin-1")


def test_names_that_differ_in_case_are_one_header():
    event = load_event("http_default", cookies=None)
    event["headers"] |= {"x-a": "1", "X-A": "2", "cookie": "a=1", "Cookie": "b=2"}

    seen = environ(event)

    assert (seen["HTTP_X_A"], seen["HTTP_COOKIE"]) == ("1, 2", "a=1; b=2")


@pytest.mark.parametrize("value", [None, 1, {"a": 1}, ["a", 1]])
def test_a_header_or_parameter_that_is_no_text_is_refused(value: Any):
    for field in ("multiValueHeaders", "multiValueQueryStringParameters"):
        with pytest.raises(UnsupportedEvent):
            environ(load_event("rest_stage", **{field: {"x-a": value}}))


# What an application may do


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit]
)
def test_nothing_that_an_application_raises_ends_the_runtime(
    error: type[BaseException],
):
    def application(environ: Environ, start_response: Any) -> list[bytes]:
        raise error

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert result["statusCode"] == 500
    assert result["headers"]["cache-control"] == "no-store"


def test_what_a_replaced_response_had_written_is_forgotten():
    def application(environ: Environ, start_response: Callable[..., Any]) -> Any:
        start_response("200 OK", [("content-type", "text/plain")])
        yield b"partial"
        error = (ValueError, ValueError("x"), None)
        start_response("503 Busy", [("content-type", "text/plain")], error)
        yield b"sorry"

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert (result["statusCode"], result["body"]) == (503, "sorry")


def test_a_header_leaves_as_the_text_that_it_stands_for():
    value = "café".encode().decode("latin-1")

    result = make_handler(Application(x_a=value))(
        load_event("http_default"), LambdaContext()
    )

    assert result["headers"]["x-a"] == "café"


def test_joined_headers_and_cookies_leave_as_text_each_by_itself():
    utf_8, latin_1 = "é".encode().decode("latin-1"), "é"

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        headers = [("X-A", utf_8), ("x-a", latin_1), ("Set-Cookie", f"a={utf_8}")]
        start_response("200 OK", headers)
        return []

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert result["headers"]["x-a"] == "é, é"
    assert result["cookies"] == ["a=é"]


def test_a_tab_in_a_header_is_no_control_character():
    result = make_handler(Application(x_a="a\tb"))(
        load_event("http_default"), LambdaContext()
    )

    assert result["headers"]["x-a"] == "a\tb"


@pytest.mark.parametrize("value", ["a\x01b", "a\x7fb", "\udc80", "東京"])
def test_a_header_that_no_event_source_takes_is_our_error(value: str):
    application = Application(b"x" * 2_000_000, x_a=value)

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert result["statusCode"] == 500


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_response_that_has_no_body_has_none(status: str):
    application = Application(b"body", status=status)

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert result["body"] == ""


def test_headers_count_towards_the_limit():
    application = Application(
        b"x" * 4_700_000, content_type="image/png", x_long="y" * 160_000
    )

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert json.loads(result["body"])["error"] == "response_too_large"


# The request ID


def test_a_refusal_is_logged_with_the_id_of_its_invocation_and_leaves_none(caplog):
    seen: list[str] = []

    class Spy(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(request_id.get())

    spy = Spy()
    logging.getLogger("apps.aws_lambda").addHandler(spy)
    before = request_id.get()
    try:
        with pytest.raises(UnsupportedEvent):
            environ(load_event("sqs"))
    finally:
        logging.getLogger("apps.aws_lambda").removeHandler(spy)

    assert seen == [LambdaContext().aws_request_id] or len(seen[0]) > 10
    assert request_id.get() == before
