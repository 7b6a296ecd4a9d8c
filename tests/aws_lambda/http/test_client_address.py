"""REMOTE_ADDR: the address of the client, over all event sources."""

from ipaddress import ip_address
from typing import Any

import pytest

from apps.aws_lambda.test import EVENT_SOURCES, EventSource, Request
from tests.aws_lambda.http.test_semantics import result_headers
from tests.aws_lambda.site import Site, environ_of, send, send_and_keep_result
from tests.events import load_event

# As AWS writes it, and what is in the environ.
ADDRESSES = {
    "203.0.113.9": "203.0.113.9",
    # With mutual TLS on a custom domain.
    "203.0.113.9:40002": "203.0.113.9",
    "[2001:db8::1]:443": "2001:db8::1",
    "2001:DB8::1": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "::ffff:203.0.113.9": "203.0.113.9",
    # The test of the API Gateway console.
    "test-invoke-source-ip": "",
    # PostgreSQL's inet has no scope.
    "fe80::1%eth0": "",
    "203.0.113.256": "",
    "unknown": "",
}


@pytest.mark.parametrize(("written", "address"), ADDRESSES.items())
def test_an_address_is_an_ip_address_or_nothing(
    event_source: EventSource, written: str, address: str
):
    site = Site()
    request = Request("GET", f"{event_source.prefix}/", client=written)

    send(event_source, site, request)

    assert site.environ["REMOTE_ADDR"] == address
    if address:
        ip_address(site.environ["REMOTE_ADDR"])


COUNTED = [name for name in EVENT_SOURCES if name != "function_url"]


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize(
    ("forwarded", "proxies", "address"),
    [
        # CloudFront has appended the client, and the gateway CloudFront.
        ("198.51.100.7", 2, "198.51.100.7"),
        ("10.0.0.1, 198.51.100.7", 2, "198.51.100.7"),
        ("10.0.0.1, 198.51.100.7", 3, "10.0.0.1"),
        # Only the gateway counts.
        ("198.51.100.7", 1, "203.0.113.7"),
        # Some proxies were passed by: only AWS's own entry can be believed.
        ("198.51.100.7", 5, "203.0.113.7"),
        ("not an address", 2, ""),
    ],
)
def test_proxies_are_counted_from_the_right(
    name: str, forwarded: str, proxies: int, address: str
):
    event_source, site = EVENT_SOURCES[name], Site()
    request = Request(
        "GET", f"{event_source.prefix}/", (("X-Forwarded-For", forwarded),)
    )

    send(event_source, site, request, trusted_proxies=proxies)

    assert site.environ["REMOTE_ADDR"] == address


def test_a_function_url_does_not_count_what_the_client_may_have_written():
    event_source, site = EVENT_SOURCES["function_url"], Site()
    request = Request("GET", "/", (("X-Forwarded-For", "198.51.100.7"),))

    send(event_source, site, request, trusted_proxies=2)

    assert site.environ["REMOTE_ADDR"] == "203.0.113.7"


@pytest.mark.parametrize("name", ["rest_stage", "rest_domain", "rest_base_path"])
def test_a_rest_event_with_a_version_is_one_of_a_rest_api(name: str):
    event = load_event(name)
    event["version"] = "1.0"

    expected = environ_of(load_event(name))
    environ = environ_of(event)

    assert environ["aws_lambda.event_source"] == "REST API"
    for key in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR"):
        assert environ[key] == expected[key]


@pytest.mark.parametrize("name", ["http_v1_default", "http_v1_stage"])
def test_an_http_api_event_of_format_1_0_stays_one(name: str):
    environ = environ_of(load_event(name))

    assert environ["aws_lambda.event_source"] == "HTTP API (payload 1.0)"


def test_an_event_without_identity_is_served():
    event = load_event("rest_stage")
    event["requestContext"]["identity"] = None

    assert environ_of(event)["REMOTE_ADDR"] == ""


def test_single_values_count_where_the_multi_value_tables_are_empty():
    event = load_event("rest_stage")
    event["headers"] = {"Host": "example.com", "X-Single": "1"}
    event["queryStringParameters"] = {"a": "b"}
    event["multiValueHeaders"] = event["multiValueQueryStringParameters"] = {}

    environ = environ_of(event)

    assert environ["HTTP_X_SINGLE"] == "1"
    assert environ["QUERY_STRING"] == "a=b"


@pytest.mark.parametrize("sent", ["http", "https", "ftp", ""])
def test_x_forwarded_proto_is_the_scheme_that_the_gateway_knows(
    event_source: EventSource, sent: str
):
    site = Site()
    headers = (("X-Forwarded-Proto", sent),) if sent else ()

    send(event_source, site, Request("GET", f"{event_source.prefix}/", headers))

    environ: dict[str, Any] = site.environ
    assert environ["HTTP_X_FORWARDED_PROTO"] == environ["wsgi.url_scheme"] == "https"


def test_the_scheme_of_a_balancer_without_tls_is_http():
    event_source, site = EVENT_SOURCES["alb_multi"], Site()

    send(event_source, site, Request("GET", "/", scheme="http"))

    assert site.environ["HTTP_X_FORWARDED_PROTO"] == "http"


def test_an_error_has_the_request_id(event_source: EventSource):
    def application(environ: Any, start_response: Any) -> Any:
        raise SystemExit(1)

    result, response = send_and_keep_result(
        event_source, application, Request("GET", f"{event_source.prefix}/")
    )

    assert response.status == 500
    assert result_headers(result)["x-request-id"]
