"""Each fix of the plugin, with a real serverless-offline."""

import base64
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Echo
from .service import alive, wait_until

HTTP_API, REST_API = "", "/dev"
EVENT_SOURCES = [
    pytest.param(HTTP_API, id="http_api"),
    pytest.param(REST_API, id="rest_api"),
]
each_event_source = pytest.mark.parametrize("event_source", EVENT_SOURCES)

IMAGE = bytes(range(256)) * 4


# The path


def test_the_trailing_slash_is_kept_by_an_http_api(echo: Echo) -> None:
    assert echo("/admin/").event["rawPath"] == "/admin/"
    assert echo("/admin").event["rawPath"] == "/admin"


def test_the_trailing_slash_is_kept_by_a_rest_api(echo: Echo) -> None:
    assert echo("/dev/admin/").event["path"] == "/admin/"
    assert echo("/dev/admin").event["path"] == "/admin"
    assert echo("/dev/").event["path"] == "/"
    assert echo("/dev").event["path"] == "/"


def test_a_rest_api_keeps_the_path_encoded_after_the_stage(echo: Echo) -> None:
    event = echo("/dev/a%2Fb/%c3%a9/").event

    assert event["path"] == "/a%2Fb/%c3%a9/"
    assert event["requestContext"]["path"] == "/dev/a%2Fb/%c3%a9/"
    assert event["resource"] == "/{proxy+}"
    # API Gateway omits the trailing slash.
    assert event["pathParameters"]["proxy"] == "a/b/é"


def test_the_root_of_a_stage_is_not_an_empty_parameter(echo: Echo) -> None:
    event = echo("/dev/").event

    assert event["resource"] == "/"
    assert event["pathParameters"] is None
    assert event["requestContext"]["path"] == "/dev/"


def test_an_http_api_decodes_the_path(echo: Echo) -> None:
    event = echo("/a%2Fb/%c3%a9/%20").event

    assert event["rawPath"] == "/a/b/é/ "
    assert event["requestContext"]["http"]["path"] == event["rawPath"]
    assert "pathParameters" not in event


# The query


def test_an_http_api_passes_the_query_as_it_was_sent(echo: Echo) -> None:
    query = "flag&a=%20&a=+&b=%2B&=&c"

    assert echo(f"/?{query}").event["rawQueryString"] == query


def test_a_rest_api_parses_the_query(echo: Echo) -> None:
    event = echo("/dev/?a=1&a=%C3%A9&b=x%20y").event

    assert event["multiValueQueryStringParameters"] == {"a": ["1", "é"], "b": ["x y"]}


# Headers and cookies


def test_cookies_are_unchanged_in_the_event_of_an_http_api(echo: Echo) -> None:
    cookies = (("Cookie", 'a=1; b={"x": "y"}; c=%20'), ("Cookie", "d=4"))

    event = echo("/", headers=cookies).event

    assert event["cookies"] == ["a=1", 'b={"x": "y"}', "c=%20", "d=4"]
    assert "cookie" not in event["headers"]


def test_cookies_are_unchanged_in_the_event_of_a_rest_api(echo: Echo) -> None:
    cookie = 'a=1; b={"x": "y"}; c=%20'

    event = echo("/dev/", headers=(("Cookie", cookie),)).event

    assert event["multiValueHeaders"]["Cookie"] == [cookie]


def test_an_http_api_joins_repeated_headers(echo: Echo) -> None:
    event = echo("/", headers=(("X-Word", "one"), ("x-word", "two"))).event

    assert event["headers"]["x-word"] == "one,two"


@each_event_source
def test_the_domain_name_is_the_requested_host(echo: Echo, event_source: str) -> None:
    assert echo(f"{event_source}/").event["requestContext"]["domainName"] == "localhost"


@each_event_source
def test_each_request_has_its_own_id(echo: Echo, event_source: str) -> None:
    ids = {
        echo(f"{event_source}/").event["requestContext"]["requestId"] for _ in range(3)
    }

    assert len(ids) == 3


# The body


@each_event_source
@pytest.mark.parametrize(
    "content_type", ["image/png", "application/octet-stream", "multipart/form-data"]
)
def test_a_binary_body_arrives_intact(
    echo: Echo, event_source: str, content_type: str
) -> None:
    header = ("Content-Type", f"{content_type}; boundary=x")

    event = echo(f"{event_source}/", method="POST", headers=(header,), body=IMAGE).event

    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == IMAGE


@pytest.mark.parametrize("content_type", ["application/json", "text/plain"])
def test_only_an_http_api_sends_text_as_text(echo: Echo, content_type: str) -> None:
    def post(path: str) -> dict[str, Any]:
        header = ("Content-Type", content_type)
        return echo(path, method="POST", headers=(header,), body=b'{"a": 1}').event

    http, rest = post("/"), post("/dev/")

    assert (http["isBase64Encoded"], http["body"]) == (False, '{"a": 1}')
    assert (rest["isBase64Encoded"], rest["body"]) == (True, "eyJhIjogMX0=")


@each_event_source
def test_no_content_type_is_added(echo: Echo, event_source: str) -> None:
    for body in (b"", b"x"):
        event = echo(f"{event_source}/", method="POST", body=body).event

        assert "content-type" not in {name.lower() for name in event["headers"]}


# Methods and responses


@each_event_source
@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "PUT"])
def test_every_method_reaches_the_function(
    echo: Echo, event_source: str, method: str
) -> None:
    event = echo(f"{event_source}/", method=method).event

    http = event["requestContext"].get("http", {})
    assert (http.get("method") or event["httpMethod"]) == method


@each_event_source
def test_head_reaches_the_function_and_has_no_body(
    echo: Echo, event_source: str
) -> None:
    answer = echo(f"{event_source}/", method="HEAD")

    assert answer.status == 200
    assert int(answer.headers["content-length"]) > 100
    assert answer.body == b""


@each_event_source
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_the_response_of_the_function_is_not_changed(
    echo: Echo, event_source: str, method: str
) -> None:
    headers = (
        ("Origin", "https://example.com"),
        ("Access-Control-Request-Method", "PUT"),
        ("Accept-Encoding", "gzip"),
        ("Range", "bytes=0-1"),
    )

    answer = echo(f"{event_source}/", method=method, headers=headers)

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.keys() <= {
        "content-type",
        "content-length",
        "date",
        "connection",
        "keep-alive",
    }
    received = {k.lower(): v for k, v in answer.event["headers"].items()}
    assert received["origin"] == "https://example.com"


# The environment and the process


def test_values_that_exist_on_aws_only_are_not_in_the_environment(echo: Echo) -> None:
    environment = echo("/").echo["environment"]

    assert environment["STAGE"] == "local"
    assert environment["LAMBDA_HOSTS"] == "localhost,127.0.0.1"
    assert environment["LAMBDA_URL_SCHEME"] == "http"
    assert environment["FROM_CALLER"] == "caller"
    assert environment.keys().isdisjoint({"EMPTY", "REFERENCE", "OWN_REFERENCE"})


def test_the_projects_own_virtual_environment_is_used(echo: Echo) -> None:
    assert echo("/").echo["python"].endswith("/the service/.venv/bin/python")


def test_the_context_has_the_name_and_the_timeout_of_the_function(echo: Echo) -> None:
    answer = echo("/").echo

    assert answer["function_name"] == "echo-dev-http"
    assert 9_000 < answer["remaining"] <= 10_000


def test_one_process_serves_both_event_sources(echo: Echo) -> None:
    assert echo("/").echo["pid"] == echo("/dev/").echo["pid"]


@pytest.mark.parametrize("path", ["/exit", "/raise", "/none"])
@pytest.mark.parametrize(
    ("event_source", "status", "message"),
    [
        pytest.param(HTTP_API, 500, b"Internal Server Error", id="http_api"),
        pytest.param(REST_API, 502, b"Internal server error", id="rest_api"),
    ],
)
def test_a_function_without_a_result_fails_at_once(
    echo: Echo, event_source: str, status: int, message: bytes, path: str
) -> None:
    answer = echo(event_source + path)

    assert (answer.status, answer.body) == (status, b'{"message":"%s"}' % message)
    assert echo(f"{event_source}/").status == 200


@each_event_source
def test_a_process_that_died_between_requests_is_replaced(
    echo: Echo, event_source: str
) -> None:
    pid = echo(f"{event_source}/").echo["pid"]
    os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: not alive(pid))

    assert echo(f"{event_source}/").echo["pid"] != pid


@each_event_source
def test_a_process_that_dies_before_it_reads_the_event_fails_the_request_only(
    echo: Echo, event_source: str
) -> None:
    pid = echo(f"{event_source}/").echo["pid"]
    os.kill(pid, signal.SIGSTOP)
    with ThreadPoolExecutor() as clients:
        before = echo.offline.log.read_text().count("ANY ")
        request = clients.submit(lambda: echo(f"{event_source}/"))
        assert wait_until(lambda: echo.offline.log.read_text().count("ANY ") > before)
        os.kill(pid, signal.SIGKILL)

        assert request.result().status in (500, 502)
    assert echo(f"{event_source}/").echo["pid"] != pid


@each_event_source
def test_output_without_a_newline_does_not_hide_the_result(
    echo: Echo, event_source: str
) -> None:
    assert echo(f"{event_source}/partial-line").status == 200


def test_the_output_of_a_failing_function_is_logged(echo: Echo) -> None:
    echo("/raise")

    assert "ValueError: out of the handler" in echo.offline.log.read_text()


def test_a_function_invoked_directly_may_return_nothing(echo: Echo) -> None:
    answer = echo(
        "/2015-03-31/functions/echo-dev-http/invocations",
        method="POST",
        body=b'{"path": "/none"}',
        port=echo.offline.lambda_port,
    )

    assert (answer.status, answer.body) == (200, b"")
