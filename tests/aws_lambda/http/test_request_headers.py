"""Request headers, over all event sources: which arrive, and which are dropped."""

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.http import request as request_module
from apps.aws_lambda.test import EventSource, LambdaContext, Request
from tests.aws_lambda.site import Site, environ_of, get, send
from tests.events import load_event

CLIENT = "203.0.113.7"


def test_headers_arrive(event_source: EventSource) -> None:
    site = Site()

    request = get(
        event_source,
        "/",
        ("Accept", "text/html, */*;q=0.1"),
        ("User-Agent", "tester/1.0"),
        ("x-custom", "some: value, with; signs"),
        ("X-Empty", ""),
    )
    send(event_source, site, request)

    assert site.environ["HTTP_ACCEPT"] == "text/html, */*;q=0.1"
    assert site.environ["HTTP_USER_AGENT"] == "tester/1.0"
    assert site.environ["HTTP_X_CUSTOM"] == "some: value, with; signs"
    assert site.environ["HTTP_X_EMPTY"] == ""


def test_repeated_headers_are_joined_with_a_comma(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, get(event_source, "/", ("X-Tag", "one"), ("x-tag", "two")))

    arrived = [value.strip() for value in site.environ["HTTP_X_TAG"].split(",")]
    assert arrived == (["one", "two"] if event_source.repeated_headers else ["two"])


def test_header_names_are_case_insensitive():
    event = load_event("http_default", cookies=None)
    event["headers"] |= {"x-a": "1", "X-A": "2", "cookie": "a=1", "Cookie": "b=2"}

    seen = environ_of(event)

    assert (seen["HTTP_X_A"], seen["HTTP_COOKIE"]) == ("1, 2", "a=1; b=2")


def test_a_header_outside_latin_1_arrives_as_utf_8(
    event_source: EventSource,
) -> None:
    site = Site()

    response = send(event_source, site, get(event_source, "/", ("X-Name", "日本")))

    assert response.status == 200
    assert site.environ["HTTP_X_NAME"].encode("latin-1").decode() == "日本"


def test_content_type_and_length_have_no_http_prefix(
    event_source: EventSource,
) -> None:
    site = Site()
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "2"))

    send(event_source, site, Request("POST", f"{event_source.prefix}/", headers, b"hi"))

    assert site.environ["CONTENT_TYPE"] == "text/plain; charset=utf-8"
    assert site.environ["CONTENT_LENGTH"] == "2"
    assert "HTTP_CONTENT_TYPE" not in site.environ
    assert "HTTP_CONTENT_LENGTH" not in site.environ


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("X_Forwarded_Proto", "HTTP_X_FORWARDED_PROTO"),
        ("X_Forwarded_For", "HTTP_X_FORWARDED_FOR"),
        ("X-Forwarded_For", "HTTP_X_FORWARDED_FOR"),
        ("Content_Length", "CONTENT_LENGTH"),
        ("Remote_User", "HTTP_REMOTE_USER"),
        ("x_custom", "HTTP_X_CUSTOM"),
    ],
)
def test_a_header_with_an_underscore_is_dropped(
    event_source: EventSource, name: str, variable: str
) -> None:
    site = Site()

    response = send(event_source, site, get(event_source, "/", (name, "forged")))

    assert response.status == 200
    assert "forged" not in str(site.environ.get(variable, ""))


def test_an_underscore_does_not_replace_a_header_with_dashes(
    event_source: EventSource,
) -> None:
    site = Site()

    send(
        event_source,
        site,
        get(event_source, "/", ("X-User", "real"), ("X_User", "forged")),
    )

    assert site.environ["HTTP_X_USER"] == "real"


@pytest.mark.parametrize("name", ["x odd", "x-odd:", "x-odd\r\ny", "x-ödd", ""])
def test_a_header_with_an_invalid_name_is_dropped(name: str):
    event = load_event("http_default", headers={name: "s3cret"})

    assert "s3cret" not in [v for v in environ_of(event).values() if isinstance(v, str)]


@pytest.mark.parametrize("value", ["a\0b", "a\r\nb"])
def test_a_header_with_a_line_break_is_dropped(value: str):
    event = load_event("http_default")
    event["headers"]["x-odd"] = value

    assert "HTTP_X_ODD" not in environ_of(event)


def test_only_the_value_with_a_line_break_is_dropped():
    event = load_event("rest_stage")
    event["multiValueHeaders"] |= {"x-odd": ["a", "b\nc", "é"], "x-bad": ["a\rb"]}

    seen = environ_of(event)

    assert seen["HTTP_X_ODD"] == "a, é".encode().decode("latin-1")
    assert "HTTP_X_BAD" not in seen


def test_names_that_clients_invent_are_forgotten():
    for number in range(3 * request_module.MAX_KEYS):
        headers = request_module.read_headers({f"x-{number}": "here"})

        assert headers == {f"HTTP_X_{number}": "here"}

    assert len(request_module._keys) <= request_module.MAX_KEYS
    # Two threads have each added the last one.
    over = range(request_module.MAX_KEYS + 1)
    request_module._keys.update({f"y-{number}": "" for number in over})
    request_module.read_headers({"x-next": "here"})
    assert len(request_module._keys) <= request_module.MAX_KEYS


# Client, scheme and host


def test_a_client_cannot_forge_its_address(event_source: EventSource) -> None:
    site = Site()

    request = get(
        event_source,
        "/",
        ("X-Forwarded-For", "10.0.0.1, 127.0.0.1"),
        ("X-Real-IP", "10.0.0.2"),
        ("Forwarded", "for=10.0.0.3"),
        ("X_Forwarded_For", "10.0.0.4"),
        ("Remote-Addr", "10.0.0.5"),
    )
    send(event_source, site, request)

    assert site.environ["REMOTE_ADDR"] == CLIENT


def test_a_repeated_header_does_not_forge_an_address(
    event_source: EventSource,
) -> None:
    site = Site()

    request = get(
        event_source,
        "/",
        ("X-Forwarded-For", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
    )
    send(event_source, site, request)

    assert site.environ["REMOTE_ADDR"] == CLIENT


def test_an_ipv6_address_arrives(event_source: EventSource) -> None:
    site = Site()

    send(
        event_source,
        site,
        Request("GET", f"{event_source.prefix}/", client="2001:db8::7"),
    )

    assert site.environ["REMOTE_ADDR"] == "2001:db8::7"


def test_a_client_cannot_forge_the_scheme(event_source: EventSource) -> None:
    site = Site()

    request = get(
        event_source,
        "/",
        ("X-Forwarded-Proto", "http"),
        ("X_Forwarded_Proto", "http"),
        ("X-Forwarded-Ssl", "off"),
        ("Forwarded", "proto=http"),
    )
    send(event_source, site, request)

    assert site.environ["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize(
    "name", ["alb_health_check", "alb_health_check_multi", "rest_console_test"]
)
def test_a_request_without_a_host_is_served(name: str) -> None:
    site = Site()

    result = make_handler(site)(load_event(name), LambdaContext())

    assert (result["statusCode"], site.faults) == (200, [])
    assert site.path == b"/health/live"
    assert "HTTP_HOST" not in site.environ
    assert site.environ["SERVER_NAME"]
    assert site.environ["SERVER_PORT"].isdecimal()


@pytest.mark.parametrize("name", ["rest_stage", "http_default"])
def test_the_gateways_domain_replaces_a_missing_host(name: str):
    event = load_event(name, headers={}, multiValueHeaders={})

    seen = environ_of(event)

    assert seen["SERVER_NAME"] == event["requestContext"]["domainName"]
    assert seen["SERVER_PORT"] == "443"
