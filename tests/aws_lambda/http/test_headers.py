"""Request headers, over all event sources: what arrives, and what nobody can forge."""

from typing import Any

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext, Request
from tests.aws_lambda.site import Site, get, visit
from tests.events import load_event

ALB = ["alb_multi", "alb_single"]
CLIENT = "203.0.113.7"


def test_headers_reach_the_application(event_source: EventSource) -> None:
    site = Site()

    request = get(
        event_source,
        "/",
        ("Accept", "text/html, */*;q=0.1"),
        ("User-Agent", "tester/1.0"),
        ("x-custom", "some: value, with; signs"),
        ("X-Empty", ""),
    )
    visit(event_source, site, request)

    assert site.environ["HTTP_ACCEPT"] == "text/html, */*;q=0.1"
    assert site.environ["HTTP_USER_AGENT"] == "tester/1.0"
    assert site.environ["HTTP_X_CUSTOM"] == "some: value, with; signs"
    assert site.environ["HTTP_X_EMPTY"] == ""


def test_repeated_headers_are_joined_with_a_comma(event_source: EventSource) -> None:
    site = Site()

    visit(
        event_source, site, get(event_source, "/", ("X-Tag", "one"), ("x-tag", "two"))
    )

    arrived = [value.strip() for value in site.environ["HTTP_X_TAG"].split(",")]
    assert arrived == (["one", "two"] if event_source.repeated_headers else ["two"])


def test_header_beyond_latin_1_arrives_as_its_utf_8_bytes(
    event_source: EventSource,
) -> None:
    site = Site()

    response = visit(event_source, site, get(event_source, "/", ("X-Name", "日本")))

    assert response.status == 200
    assert site.environ["HTTP_X_NAME"].encode("latin-1").decode() == "日本"


def test_content_type_and_length_are_not_http_variables(
    event_source: EventSource,
) -> None:
    site = Site()
    headers = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", "2"))

    visit(
        event_source, site, Request("POST", f"{event_source.prefix}/", headers, b"hi")
    )

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
def test_header_names_with_underscores_are_dropped(
    event_source: EventSource, name: str, variable: str
) -> None:
    site = Site()

    response = visit(event_source, site, get(event_source, "/", (name, "forged")))

    assert response.status == 200
    assert "forged" not in str(site.environ.get(variable, ""))


def test_header_with_underscore_does_not_replace_its_twin_with_dashes(
    event_source: EventSource,
) -> None:
    site = Site()

    visit(
        event_source,
        site,
        get(event_source, "/", ("X-User", "real"), ("X_User", "forged")),
    )

    assert site.environ["HTTP_X_USER"] == "real"


def test_client_cannot_choose_its_address(event_source: EventSource) -> None:
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
    visit(event_source, site, request)

    assert site.environ["REMOTE_ADDR"] == CLIENT


def test_client_cannot_add_an_address_by_repeating_the_header(
    event_source: EventSource,
) -> None:
    site = Site()

    request = get(
        event_source,
        "/",
        ("X-Forwarded-For", "10.0.0.1"),
        ("x-forwarded-for", "10.0.0.2"),
    )
    visit(event_source, site, request)

    assert site.environ["REMOTE_ADDR"] == CLIENT


@pytest.mark.parametrize("name", ALB)
@pytest.mark.parametrize(
    ("proxies", "address"), [(1, "203.0.113.7"), (2, "198.51.100.23"), (3, "10.0.0.1")]
)
def test_client_of_a_load_balancer_is_counted_from_the_right(
    name: str, proxies: int, address: str
) -> None:
    site = Site()
    request = get(
        EVENT_SOURCES[name], "/", ("X-Forwarded-For", "10.0.0.1, 198.51.100.23")
    )

    visit(EVENT_SOURCES[name], site, request, trusted_proxies=proxies)

    assert site.environ["REMOTE_ADDR"] == address


@pytest.mark.parametrize("name", ALB)
def test_client_of_a_load_balancer_is_never_beyond_the_header(name: str) -> None:
    site = Site()

    visit(EVENT_SOURCES[name], site, get(EVENT_SOURCES[name]), trusted_proxies=3)

    assert site.environ["REMOTE_ADDR"] == CLIENT


def test_ipv6_client_keeps_its_address(event_source: EventSource) -> None:
    site = Site()

    visit(
        event_source,
        site,
        Request("GET", f"{event_source.prefix}/", client="2001:db8::7"),
    )

    assert site.environ["REMOTE_ADDR"] == "2001:db8::7"


def test_client_cannot_choose_the_scheme(event_source: EventSource) -> None:
    site = Site()

    request = get(
        event_source,
        "/",
        ("X-Forwarded-Proto", "http"),
        ("X_Forwarded_Proto", "http"),
        ("X-Forwarded-Ssl", "off"),
        ("Forwarded", "proto=http"),
    )
    visit(event_source, site, request)

    assert site.environ["wsgi.url_scheme"] == "https"


@pytest.mark.parametrize("name", ALB)
def test_plain_http_at_a_load_balancer_stays_plain(name: str) -> None:
    site = Site()
    headers = (("X-Forwarded-Proto", "https"), ("X_Forwarded_Proto", "https"))

    visit(EVENT_SOURCES[name], site, Request("GET", "/", headers, scheme="http"))

    assert site.environ["wsgi.url_scheme"] == "http"
    assert site.environ["SERVER_PORT"] == "80"


@pytest.mark.parametrize("name", [name for name in EVENT_SOURCES if name not in ALB])
def test_scheme_of_a_local_stand_in_can_be_configured(name: str) -> None:
    site = Site()

    visit(EVENT_SOURCES[name], site, get(EVENT_SOURCES[name]), scheme="http")

    assert site.environ["wsgi.url_scheme"] == "http"


def test_client_cannot_choose_the_request_id(event_source: EventSource) -> None:
    site = Site()
    context = LambdaContext()
    events: list[dict[str, Any]] = []
    handler = make_handler(site, **event_source.handler_options)

    def remember(event: dict[str, Any], _: object) -> Any:
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
    event_source.send(remember, request)

    made_by_aws = events[0]["requestContext"].get("requestId", context.aws_request_id)
    assert site.environ["aws_lambda.request_id"] == made_by_aws


def test_event_and_context_are_in_the_environ(event_source: EventSource) -> None:
    site, context, event = (
        Site(),
        LambdaContext(),
        event_source.event(get(event_source)),
    )

    make_handler(site, **event_source.handler_options)(event, context)

    assert site.environ["apig_wsgi.full_event"] == event
    assert site.environ["apig_wsgi.context"] is context


@pytest.mark.parametrize("name", ALB)
def test_host_is_what_the_client_of_a_load_balancer_sent(name: str) -> None:
    site = Site()

    visit(
        EVENT_SOURCES[name],
        site,
        get(EVENT_SOURCES[name], "/", ("Host", "other.example.com:8443")),
    )

    assert site.environ["HTTP_HOST"] == "other.example.com:8443"


@pytest.mark.parametrize(
    "name", ["alb_health_check", "alb_health_check_multi", "rest_console_test"]
)
def test_request_without_host_is_served(name: str) -> None:
    site = Site()

    result = make_handler(site)(load_event(name), LambdaContext())

    assert (result["statusCode"], site.faults) == (200, [])
    assert site.path == b"/health/live"
    assert "HTTP_HOST" not in site.environ
    assert site.environ["SERVER_NAME"]
    assert site.environ["SERVER_PORT"].isdecimal()


@pytest.mark.parametrize("field", ["headers", "multiValueHeaders", "both"])
def test_null_headers_are_no_headers(field: str) -> None:
    fields = ["headers", "multiValueHeaders"] if field == "both" else [field]
    site = Site()

    result = make_handler(site)(
        load_event("rest_stage", **dict.fromkeys(fields)), LambdaContext()
    )

    assert (result["statusCode"], site.faults) == (200, [])


def test_request_of_one_visitor_leaves_nothing_for_the_next(
    event_source: EventSource,
) -> None:
    site = Site()
    handler = make_handler(site, **event_source.handler_options)
    first = Request(
        "POST",
        f"{event_source.prefix}/secret/?token=s3cret",
        (
            ("Cookie", "sessionid=s3cret"),
            ("Authorization", "Bearer s3cret"),
            ("X-Own", "s3cret"),
        ),
        b"s3cret",
    )

    event_source.send(handler, first, LambdaContext())
    event_source.send(handler, get(event_source), LambdaContext())

    assert "s3cret" not in str(site.environ)
    assert site.body == b""
