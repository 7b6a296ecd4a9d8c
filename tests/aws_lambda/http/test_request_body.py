"""Request bodies, over all event sources."""

import gzip

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext
from tests.aws_lambda.site import Site, get, post, send
from tests.events import load_event

EVERY_BYTE = bytes(range(256))


BODIES = {
    "form": ("application/x-www-form-urlencoded", b"a=1&b=%E6%97%A5+c"),
    "JSON": ("application/json", '{"name": "日本 café"}'.encode()),
    "JSON with charset": ("Application/JSON; charset=utf-8", b"{}"),
    "JSON:API": ("application/vnd.api+json", '{"name": "é"}'.encode()),
    "problem": ("application/problem+json", b"{}"),
    "XML": ("application/xml", "<a>é</a>".encode()),
    "UTF-8 text": ("text/plain; charset=utf-8", "naïve 日本".encode()),
    "text with line ends": ("text/csv", b"a,b\r\n1,2\n\t\x00"),
    "PNG": ("image/png", b"\x89PNG\r\n\x1a\n" + EVERY_BYTE),
    "PDF": ("application/pdf", b"%PDF-1.7\n" + EVERY_BYTE),
    "gzip": ("application/gzip", gzip.compress(b"hello", mtime=0)),
    "bytes": ("application/octet-stream", EVERY_BYTE * 4),
    "looks like base64": ("text/plain", b"aGVsbG8="),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_arrives_unchanged(event_source: EventSource, kind: str) -> None:
    content_type, body = BODIES[kind]
    site = Site()

    send(event_source, site, post(event_source, body, ("Content-Type", content_type)))

    assert site.body == body
    assert site.environ["CONTENT_LENGTH"] == str(len(body))
    assert site.environ["CONTENT_TYPE"] == content_type


def test_a_body_without_a_content_type_arrives(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, post(event_source, EVERY_BYTE))

    assert site.body == EVERY_BYTE
    assert not site.environ.get("CONTENT_TYPE")


def test_text_that_is_not_utf_8_is_served(
    event_source: EventSource,
) -> None:
    body = "naïve".encode("latin-1")
    site = Site()

    response = send(
        event_source,
        site,
        post(event_source, body, ("Content-Type", "text/plain; charset=latin-1")),
    )

    assert response.status == 200
    if event_source.preserves_text_bytes:
        assert site.body == body


def test_an_empty_body_has_content_length_zero(event_source: EventSource) -> None:
    site = Site()

    send(
        event_source,
        site,
        post(event_source, b"", ("Content-Type", "application/json")),
    )

    assert (site.body, site.environ.get("CONTENT_LENGTH") or "0") == (b"", "0")


@pytest.mark.parametrize(
    "boundary",
    [
        "plain",
        "a,b,c",
        "it's,(odd)+_=?:/.-",
        "----WebKitFormBoundaryAbC123,x",
        "with space",
    ],
)
def test_a_multipart_boundary_arrives_unchanged(
    event_source: EventSource, boundary: str
) -> None:
    content_type = f'multipart/form-data; boundary="{boundary}"'
    disposition = b'Content-Disposition: form-data; name="f"; filename="a.bin"'
    line = f"--{boundary}".encode()
    body = b"\r\n".join([line, disposition, b"", EVERY_BYTE, line + b"--", b""])
    site = Site()

    send(event_source, site, post(event_source, body, ("Content-Type", content_type)))

    assert site.environ["CONTENT_TYPE"] == content_type
    assert site.body == body


def test_content_length_is_that_of_the_body(
    event_source: EventSource,
) -> None:
    site = Site()
    headers = (("Content-Length", "999999"), ("Content-Type", "text/plain"))

    send(event_source, site, post(event_source, b"five!", *headers))

    assert site.environ["CONTENT_LENGTH"] == "5"


def test_a_chunked_request_has_a_content_length(event_source: EventSource) -> None:
    site = Site()

    send(
        event_source,
        site,
        post(event_source, b"hello", ("Transfer-Encoding", "chunked")),
    )

    assert (site.body, site.environ["CONTENT_LENGTH"]) == (b"hello", "5")


@pytest.mark.parametrize(
    "name", ["rest_stage", "http_default", "function_url", "alb_multi"]
)
@pytest.mark.parametrize("body", [None, ""])
@pytest.mark.parametrize("base64", [True, False])
def test_a_null_body_is_empty(name: str, body: str | None, base64: bool) -> None:
    site = Site()

    result = make_handler(site)(
        load_event(name, body=body, isBase64Encoded=base64), LambdaContext()
    )

    assert (result["statusCode"], site.body, site.faults) == (200, b"", [])


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_a_large_body_arrives(size: int) -> None:
    body, site = b"\xff" * size, Site()

    send(
        EVENT_SOURCES["rest_stage"],
        site,
        post(EVENT_SOURCES["rest_stage"], body, ("Content-Type", "image/png")),
    )

    assert site.body == body


def test_a_get_request_has_no_body(event_source: EventSource) -> None:
    site = Site()

    send(event_source, site, get(event_source))

    assert site.body == b""
