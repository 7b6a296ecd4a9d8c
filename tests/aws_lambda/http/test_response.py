"""Responses, over all event sources."""

import gzip
import zlib
from typing import Any

import pytest

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EventSource, LambdaContext, Request
from tests.aws_lambda.site import Site, get, send, send_and_keep_result
from tests.events import load_event

EVERY_BYTE = bytes(range(256))


BODIES = {
    "HTML": ("text/html; charset=utf-8", "", "<p>日本 café</p>".encode()),
    "text without charset": ("text/plain", "", "é".encode()),
    "latin-1 text": ("text/plain; charset=iso-8859-1", "", "naïve".encode("latin-1")),
    "UTF-16 text": ("text/csv; charset=utf-16", "", "a;b".encode("utf-16")),
    "text of invalid UTF-8": ("text/plain; charset=utf-8", "", EVERY_BYTE),
    "JSON": ("application/json", "", '{"name": "日本"}'.encode()),
    "JSON of invalid UTF-8": ("application/json", "", b"\xff\xfe"),
    "JSON:API": ("application/vnd.api+json", "", b"{}"),
    "problem": ("application/problem+json; charset=utf-8", "", b"{}"),
    "JSON lines": ("application/x-ndjson", "", b"{}\n{}\n"),
    "manifest": ("application/manifest+json", "", b"{}"),
    "script": ("text/javascript", "", "alert('é')".encode()),
    "SVG": ("image/svg+xml", "", b"<svg/>"),
    "PNG": ("image/png", "", b"\x89PNG\r\n\x1a\n" + EVERY_BYTE),
    "PDF": ("application/pdf", "", b"%PDF-1.7\n" + EVERY_BYTE),
    "download": ("application/octet-stream", "", EVERY_BYTE * 40),
    "gzipped HTML": (
        "text/html; charset=utf-8",
        "gzip",
        gzip.compress(b"<p>" * 999, mtime=0),
    ),
    "deflated JSON": ("application/json", "deflate", zlib.compress(b"{}")),
    "identity": ("text/html; charset=utf-8", "identity", b"<p>"),
    "unknown type": ("made-up", "", EVERY_BYTE),
    "empty": ("text/html; charset=utf-8", "", b""),
}


@pytest.mark.parametrize("kind", BODIES)
def test_a_body_is_sent_unchanged(event_source: EventSource, kind: str) -> None:
    content_type, encoding, body = BODIES[kind]
    headers = [("Content-Type", content_type)]
    headers += [("Content-Encoding", encoding)] if encoding else []

    response = send(
        event_source, Site(headers=headers, chunks=[body]), get(event_source)
    )

    assert (response.status, response.fault, response.body) == (200, "", body)
    assert response.values("Content-Type") == [content_type]
    assert response.values("Content-Encoding") == ([encoding] if encoding else [])


def test_a_body_without_a_content_type_is_sent_unchanged(
    event_source: EventSource,
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [EVERY_BYTE]

    response = send(event_source, application, get(event_source))

    assert (response.status, response.body) == (200, EVERY_BYTE)
    assert response.values("Content-Type") == []


@pytest.mark.parametrize(
    "status",
    [
        "200 OK",
        "201 Created",
        "302 Found",
        "404 Not Found",
        "418 I'm a teapot",
        "503 No",
    ],
)
def test_a_status_is_sent(event_source: EventSource, status: str) -> None:
    response = send(event_source, Site(status=status), get(event_source))

    assert response.status == int(status[:3])


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_a_204_or_304_is_sent_without_a_body(
    event_source: EventSource, status: str
) -> None:
    site = Site(status=status, chunks=[b""])

    result, response = send_and_keep_result(event_source, site, get(event_source))

    assert (response.fault, response.body, result.get("body") or "") == ("", b"", "")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_the_body_of_a_204_or_304_is_removed(status: str):
    site = Site(status=status, chunks=[b"body"])

    result = make_handler(site.application)(load_event("http_default"), LambdaContext())

    assert result["body"] == ""


def test_a_head_response_has_headers_but_no_body(event_source: EventSource) -> None:
    headers = [("Content-Type", "text/html"), ("X-Own", "1"), ("Content-Length", "5")]
    site = Site(headers=headers, chunks=[b"hello"])
    request = Request("HEAD", f"{event_source.prefix}/")

    # wsgiref.validate rejects the body, which Django itself would not send.
    result, response = send_and_keep_result(event_source, site.application, request)

    assert (response.status, result.get("body") or "") == (200, "")
    assert response.values("X-Own") == ["1"]
    assert site.stream is not None
    assert site.stream.closed == 1


def test_repeated_headers_are_sent(event_source: EventSource) -> None:
    repeated = [
        ("Vary", "Cookie"),
        ("Vary", "Accept-Language"),
        ("Link", "</a.css>; rel=preload"),
        ("Link", "</b.js>; rel=preload"),
        ("WWW-Authenticate", 'Basic realm="a"'),
        ("WWW-Authenticate", "Bearer"),
    ]

    response = send(event_source, Site(headers=repeated), get(event_source))

    for name in ("Vary", "Link", "WWW-Authenticate"):
        made = ", ".join(value for key, value in repeated if key == name)
        if name.lower() in event_source.renamed_headers:
            name = f"x-amzn-Remapped-{name}"
        assert ", ".join(response.values(name)) == made


def test_repeated_headers_of_different_case_are_joined(
    event_source: EventSource,
) -> None:
    response = send(
        event_source,
        Site(headers=[("Vary", "Cookie"), ("vary", "Origin")]),
        get(event_source),
    )

    assert ", ".join(response.values("Vary")) == "Cookie, Origin"


def test_a_utf_8_header_is_decoded():
    value = "café".encode().decode("latin-1")

    site = Site(headers=[("X-A", value)])

    result = make_handler(site)(load_event("http_default"), LambdaContext())

    assert result["headers"]["x-a"] == "café"


def test_joined_headers_are_decoded_separately():
    utf_8, latin_1 = "é".encode().decode("latin-1"), "é"

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        headers = [("X-A", utf_8), ("x-a", latin_1), ("Set-Cookie", f"a={utf_8}")]
        start_response("200 OK", headers)
        return []

    result = make_handler(application)(load_event("http_default"), LambdaContext())

    assert result["headers"]["x-a"] == "é, é"
    assert result["cookies"] == ["a=é"]


def test_a_header_can_contain_a_tab():
    site = Site(headers=[("X-A", "a\tb")])

    # wsgiref.validate allows no tab.
    result = make_handler(site.application)(load_event("http_default"), LambdaContext())

    assert result["headers"]["x-a"] == "a\tb"
