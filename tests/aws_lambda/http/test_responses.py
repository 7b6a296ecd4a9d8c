"""Responses, over all event sources: what leaves is what the application made."""

import gzip
import sys
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.test import EventSource, Request
from tests.aws_lambda.site import Site, get, visit, visit_and_keep

EVERY_BYTE = bytes(range(256))
BODIES = {
    "HTML": ("text/html; charset=utf-8", "", "<p>日本 café</p>".encode()),
    "text without charset": ("text/plain", "", "é".encode()),
    "latin-1 text": ("text/plain; charset=iso-8859-1", "", "naïve".encode("latin-1")),
    "UTF-16 text": ("text/csv; charset=utf-16", "", "a;b".encode("utf-16")),
    "text that lies": ("text/plain; charset=utf-8", "", EVERY_BYTE),
    "JSON": ("application/json", "", '{"name": "日本"}'.encode()),
    "JSON that lies": ("application/json", "", b"\xff\xfe"),
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
    "unknown type": ("whatever", "", EVERY_BYTE),
    "empty": ("text/html; charset=utf-8", "", b""),
}


@pytest.mark.parametrize("kind", BODIES)
def test_body_leaves_as_it_was_made(event_source: EventSource, kind: str) -> None:
    content_type, encoding, body = BODIES[kind]
    headers = [("Content-Type", content_type)]
    headers += [("Content-Encoding", encoding)] if encoding else []

    response = visit(
        event_source, Site(headers=headers, chunks=[body]), get(event_source)
    )

    assert (response.status, response.fault, response.body) == (200, "", body)
    assert response.values("Content-Type") == [content_type]
    assert response.values("Content-Encoding") == ([encoding] if encoding else [])


def test_body_without_type_leaves_as_it_was_made(event_source: EventSource) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return [EVERY_BYTE]

    response = visit(event_source, application, get(event_source))

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
def test_status_leaves(event_source: EventSource, status: str) -> None:
    response = visit(event_source, Site(status=status), get(event_source))

    assert response.status == int(status[:3])


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_response_that_may_have_no_body_has_none(
    event_source: EventSource, status: str
) -> None:
    site = Site(status=status, chunks=[b""])

    result, response = visit_and_keep(event_source, site, get(event_source))

    assert (response.fault, response.body, result.get("body") or "") == ("", b"", "")


def test_head_has_the_headers_of_get_and_no_body(event_source: EventSource) -> None:
    headers = [("Content-Type", "text/html"), ("X-Own", "1"), ("Content-Length", "5")]
    site = Site(headers=headers, chunks=[b"hello"])
    request = Request("HEAD", f"{event_source.prefix}/")

    # wsgiref.validate is right that there should be no body: Django knows too.
    result, response = visit_and_keep(event_source, site.application, request)

    assert (response.status, result.get("body") or "") == (200, "")
    assert response.values("X-Own") == ["1"]
    assert site.stream is not None
    assert site.stream.closed == 1


def test_repeated_headers_leave(event_source: EventSource) -> None:
    repeated = [
        ("Vary", "Cookie"),
        ("Vary", "Accept-Language"),
        ("Link", "</a.css>; rel=preload"),
        ("Link", "</b.js>; rel=preload"),
        ("WWW-Authenticate", 'Basic realm="a"'),
        ("WWW-Authenticate", "Bearer"),
    ]

    response = visit(event_source, Site(headers=repeated), get(event_source))

    for name in ("Vary", "Link", "WWW-Authenticate"):
        made = ", ".join(value for key, value in repeated if key == name)
        if name.lower() in event_source.renamed_headers:
            name = f"x-amzn-Remapped-{name}"
        assert ", ".join(response.values(name)) == made


def test_repeated_headers_of_different_case_leave(event_source: EventSource) -> None:
    response = visit(
        event_source,
        Site(headers=[("Vary", "Cookie"), ("vary", "Origin")]),
        get(event_source),
    )

    assert ", ".join(response.values("Vary")) == "Cookie, Origin"


def test_chunks_of_a_stream_are_one_body(event_source: EventSource) -> None:
    def stream() -> Iterator[bytes]:
        yield b"one, "
        yield b""
        yield "zwölf".encode()

    response = visit(event_source, Site(chunks=stream()), get(event_source))

    assert response.body.decode() == "one, zwölf"


def test_character_may_be_split_between_chunks(event_source: EventSource) -> None:
    response = visit(
        event_source,
        Site(chunks=["日".encode()[:1], "日".encode()[1:]]),
        get(event_source),
    )

    assert response.body.decode() == "日"


def test_application_may_replace_its_response_on_error(
    event_source: EventSource,
) -> None:
    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Type", "text/html"), ("X-First", "1")])
        try:
            raise RuntimeError
        except RuntimeError:
            start_response("503 Busy", [("Content-Type", "text/plain")], sys.exc_info())
        return [b"busy"]

    response = visit(event_source, application, get(event_source))

    assert (response.status, response.body, response.values("X-First")) == (
        503,
        b"busy",
        [],
    )


def test_application_may_start_its_response_late_and_write(
    event_source: EventSource,
) -> None:
    def application(environ: Any, start_response: Any) -> Iterator[bytes]:
        write = start_response("200 OK", [("Content-Type", "text/plain")])
        write(b"a")
        yield b"b"

    assert visit(event_source, application, get(event_source)).body == b"ab"
