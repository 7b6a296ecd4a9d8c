"""Method, path and query string, over all event sources."""

import logging
from urllib.parse import parse_qsl, unquote_to_bytes

import pytest

from apps.aws_lambda.test import EVENT_SOURCES, EventSource, Request
from tests.aws_lambda.site import Site, get, read_error, send

PATHS = [
    "/",
    "/admin/",
    "/two%20words/",
    "/a+b/",
    "/folder%2Ffile",
    "/100%25/",
    "/what%3F",
    "/hash%23tag/",
    "/caf%C3%A9/",
    "/cafe%CC%81/",
    "/%E6%97%A5%E6%9C%AC%E8%AA%9E/",
    "/%F0%9F%8E%89",
    "/%FF%FE/",
    "/semi;colon=1/",
    "/at@sign:and=equals&ampersand,comma!$'()*~",
    "/%2e%2e%2f/",
    "/double//slash/",
]


PRESERVED = [
    (name, path)
    for name in EVENT_SOURCES
    for path in PATHS
    if EVENT_SOURCES[name].preserves_path(path)
]


@pytest.mark.parametrize(("name", "path"), PRESERVED)
def test_a_path_arrives_decoded_once(name: str, path: str) -> None:
    site = Site()

    response = send(EVENT_SOURCES[name], site, get(EVENT_SOURCES[name], path))

    assert response.status == 200
    assert site.path == unquote_to_bytes(path)


@pytest.mark.parametrize(
    ("path", "delivered"),
    [
        ("/what%3Fever", b"/what"),
        ("/literal%252Fvalue", b"/literal/value"),
        ("/literal%253Fvalue", b"/literal?value"),
        ("/literal%252541", b"/literal%41"),
        ("/literal%2525value", b"/literal%value"),
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        "http_default",
        "http_stage",
        "http_mapped_key",
        "http_v1_default",
        "http_v1_stage",
    ],
)
def test_the_decoded_path_of_an_http_api_is_not_decoded_again(
    name: str, path: str, delivered: bytes
) -> None:
    site = Site()

    response = send(EVENT_SOURCES[name], site, get(EVENT_SOURCES[name], path))

    assert (response.status, site.path) == (200, delivered)


def test_invalid_utf_8_in_a_path_is_served(
    event_source: EventSource,
) -> None:
    site = Site()

    response = send(event_source, site, get(event_source, "/%FF%FE/%C3"))

    assert (response.status, response.fault) == (200, "")


@pytest.mark.parametrize("target", ["/a%00b", "/%00", "/?q=%00", "/?a%00=1&b=2"])
def test_nul_in_a_url_is_a_bad_request(
    event_source: EventSource, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()

    response = send(event_source, site, get(event_source, target))

    assert (response.status, read_error(response)["error"]) == (400, "bad_request")
    assert site.environ == {}
    [warning] = [r for r in caplog.records if r.levelno >= logging.WARNING]
    assert warning.getMessage().endswith("NUL in the URL")


@pytest.mark.parametrize("target", ["/a%2500b", "/?q=%2500", "/00?00=00"])
def test_a_url_that_only_looks_like_nul_is_served(target: str) -> None:
    site = Site()

    send(EVENT_SOURCES["rest_stage"], site, get(EVENT_SOURCES["rest_stage"], target))

    path, _, query = target.partition("?")
    assert (site.path, site.environ["QUERY_STRING"]) == (unquote_to_bytes(path), query)


QUERIES = [
    "",
    "page=2",
    "x=1&x=2",
    "x=1&y=3&x=2",
    "flag",
    "empty=",
    "q=a+b",
    "q=a%20b",
    "q=a%2Bb",
    "q=100%25",
    "q=a%26b%3Dc",
    "q=caf%C3%A9",
    "caf%C3%A9=1",
    "q=%E6%97%A5%E6%9C%AC",
    "next=%2Fadmin%2F%3Fa%3D1%26b%3D2",
    "ids%5B%5D=1&ids%5B%5D=2",
    "a=1,2&b=3:4",
]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_string_arrives(event_source: EventSource, query: str) -> None:
    pairs = parse_qsl(query, keep_blank_values=True)
    if not event_source.repeated_parameters:
        pairs = list(dict(pairs).items())
    site = Site()

    send(event_source, site, get(event_source, f"/?{query}"))

    arrived = site.environ["QUERY_STRING"]
    if event_source.preserves_query:
        assert arrived == query
    # The order of different names is lost on the way through some event sources.
    assert sorted(parse_qsl(arrived, keep_blank_values=True)) == sorted(pairs)


def test_repeated_parameters_keep_their_order(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, get(event_source, "/?x=c&x=a&x=b"))

    values = [value for _, value in parse_qsl(site.environ["QUERY_STRING"])]
    assert values == (["c", "a", "b"] if event_source.repeated_parameters else ["b"])


def test_invalid_utf_8_in_a_query_string_is_served(
    event_source: EventSource,
) -> None:
    site = Site()

    response = send(event_source, site, get(event_source, "/?q=%FF"))

    assert response.status == 200
    if event_source.preserves_query_bytes:
        assert site.environ["QUERY_STRING"].upper() == "Q=%FF"


def test_the_query_string_is_ascii(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, get(event_source, "/?q=%E6%97%A5&caf%C3%A9=%20"))

    assert site.environ["QUERY_STRING"].isascii()


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
)
def test_a_method_and_its_body_arrive(event_source: EventSource, method: str) -> None:
    body = b"" if method in ("GET", "HEAD") else b'{"a": 1}'
    site = Site()

    headers = (("Content-Type", "application/json"),) if body else ()
    response = send(
        event_source,
        site,
        Request(method, f"{event_source.prefix}/things/", headers, body),
    )

    assert response.status == 200
    assert (site.environ["REQUEST_METHOD"], site.body) == (method, body)
    assert site.environ["CONTENT_LENGTH"] in ([str(len(body))] if body else ["", "0"])
