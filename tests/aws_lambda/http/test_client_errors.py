"""Requests that Django cannot read are errors of the client, over all event sources."""

import codecs
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.core import signals
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, QueryDict
from django.http.multipartparser import MultiPartParser
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from hypothesis import given
from hypothesis import strategies as st

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.middleware import is_character_encoding
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext, Request
from apps.aws_lambda.test.function import keeping_connections
from apps.aws_lambda.test.wire import Response

EXCEPTION_MIDDLEWARE = "apps.aws_lambda.middleware.ExceptionMiddleware"
HERE = "tests.aws_lambda.http.test_client_errors"
TOKEN = "c" * 32

# Python has codecs that are not character encodings, and Django accepts them.
CHARSETS = [
    *("base64", "bz2", "hex", "idna", "punycode", "quopri", "rot13", "undefined"),
    *("raw_unicode_escape", "unicode_escape", "utf-7", "uu", "zlib"),
]
# What the client may send instead of a file's or a field's Content-Disposition.
DISPOSITIONS = [
    "form-data; a*=utf-8''x; a*0=y; name=x",
    "form-data; name*=bad''%41",
    "form-data; name*=hex''%41",
    "form-data; name*=unicode_escape''%5Cud800",
    'form-data; name="f"; filename="&#xD800;\0"',
    "form-data",
    ";",
    "",
]
ACCEPT = [
    "text/html; x*=bad''%41",
    "text/html; a*=utf-8''x; a*0=y",
    "text/html; x*=undefined''x",
]


# The site


def read(request: HttpRequest) -> HttpResponse:
    tables = (request.GET, request.POST, request.COOKIES)
    text = "".join(str(value) for table in tables for value in table.values())
    return HttpResponse(text + "".join(map(str, request.FILES.values())))


def negotiate(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.accepts("text/html")))


def link(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.GET.urlencode())


class FailingHandler(MemoryFileUploadHandler):
    """An upload handler with an error of its own, and one below it."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        if raw_data == b"below":
            codecs.lookup("no such charset")
        raise ValueError("an error of the site")


class UnmadeHandler(MemoryFileUploadHandler):
    """An upload handler that lacks the argument of all others."""

    def __init__(self) -> None:
        super().__init__()


def upload(request: HttpRequest) -> HttpResponse:
    request.upload_handlers = [FailingHandler(request)]
    return read(request)


def parse(request: HttpRequest) -> HttpResponse:
    """Read the form as Django REST framework does."""
    handlers = request.upload_handlers
    parser = MultiPartParser(request.META, request, handlers, request.encoding)
    return HttpResponse(str(parser.parse()))


def raise_lookup_error(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.GET["missing"])


def decode(request: HttpRequest) -> HttpResponse:
    return HttpResponse(QueryDict(b"a=1", encoding="hex"))


def reading_middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        read(request)
        return get_response(request)

    return middleware


urlpatterns = [
    path("read/", csrf_exempt(read)),
    path("form/", read),
    path("parse/", csrf_exempt(parse)),
    path("negotiate/", negotiate),
    path("link/", link),
    path("upload/", csrf_exempt(upload)),
    path("missing/", raise_lookup_error),
    path("decode/", decode),
    path("admin/", admin.site.urls),
]
handler400 = "apps.aws_lambda.views.bad_request"
handler404 = "apps.aws_lambda.views.page_not_found"
handler500 = "apps.aws_lambda.views.server_error"

pytestmark = pytest.mark.urls(__name__)


# The client


def form(
    disposition: str = 'form-data; name="title"',
    value: bytes = b"x",
    *headers: str,
) -> bytes:
    """Return a form with the token of CSRF and one part of these headers."""
    token = ('form-data; name="csrfmiddlewaretoken"', TOKEN.encode(), ())
    return b"".join(
        b"--x\r\n"
        + "\r\n".join([f"Content-Disposition: {given}", *more, "", ""]).encode()
        + content
        + b"\r\n"
        for given, content, more in (token, (disposition, value, headers))
    ) + (b"--x--\r\n")


def send(
    event_source: EventSource,
    target: str,
    content_type: str = "",
    body: bytes = b"",
    accept: str = "application/json",
) -> Response:
    headers = [
        ("Accept", accept),
        ("Cookie", f"csrftoken={TOKEN}"),
        ("Origin", f"https://{event_source.host}"),
    ]
    if content_type:
        headers.append(("Content-Type", content_type))
    request = Request(
        "POST" if body else "GET", event_source.prefix + target, tuple(headers), body
    )
    handler = make_handler(WSGIHandler(), **event_source.handler_options)
    with keeping_connections():
        return event_source.send(handler, request, LambdaContext())


def post(
    event_source: EventSource, target: str, charset: str = "utf-8", body: bytes = b""
) -> Response:
    content_type = f"multipart/form-data; boundary=x; charset={charset}"
    return send(event_source, target, content_type, body or form())


@pytest.fixture
def levels(caplog: pytest.LogCaptureFixture) -> Callable[[], set[str]]:
    caplog.set_level(logging.INFO)
    return lambda: {record.levelname for record in caplog.records}


@pytest.fixture
def reported() -> Any:
    """Return the list of what an error reporter receives from Django."""
    received: list[object] = []

    def receive(**kwargs: object) -> None:
        received.append(kwargs)

    signals.got_request_exception.connect(receive)
    yield received
    signals.got_request_exception.disconnect(receive)


# Forms


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("target", ["/read/", "/form/", "/admin/login/"])
def test_a_charset_that_is_not_one_is_a_bad_request(
    target: str, charset: str, settings: Any, levels: Any, reported: Any
):
    others = [name for name in settings.MIDDLEWARE if name != EXCEPTION_MIDDLEWARE]
    settings.MIDDLEWARE = [EXCEPTION_MIDDLEWARE, *others]

    response = post(EVENT_SOURCES["http_default"], target, charset)

    assert (response.status, response.fault) == (400, "")
    assert json.loads(response.body)["error"] == "bad_request"
    assert "WARNING" in levels()
    assert levels() & {"ERROR", "CRITICAL"} == set()
    assert reported == []


@pytest.mark.parametrize("target", ["/read/", "/form/", "/parse/"])
def test_a_form_that_django_cannot_read_is_a_bad_request(
    event_source: EventSource, target: str, levels: Any, caplog: Any
):
    response = post(event_source, target, body=form(DISPOSITIONS[0]))

    assert (response.status, response.fault) == (400, "")
    body = json.loads(response.body)
    assert body["error"] == "bad_request"
    assert body["requestId"] == response.values("X-Request-ID")[0]
    [line] = [r for r in caplog.records if r.name == "apps.aws_lambda.access"]
    assert (line.metrics["ClientErrors"], line.metrics["Errors"]) == (1, 0)
    assert "WARNING" in levels()
    assert levels() & {"ERROR", "CRITICAL"} == set()


def test_a_form_that_a_view_cannot_read_is_not_reported(reported: Any):
    event_source = EVENT_SOURCES["http_default"]

    assert post(event_source, "/read/", body=form(DISPOSITIONS[0])).status == 400
    assert reported == []


@pytest.mark.parametrize("middleware", [True, False])
def test_a_form_that_middleware_cannot_read_is_a_bad_request(
    settings: Any, middleware: bool, levels: Any
):
    # Without ours, only handler500 is left.
    settings.MIDDLEWARE = [
        *([EXCEPTION_MIDDLEWARE] if middleware else []),
        f"{HERE}.reading_middleware",
    ]

    for charset in ("hex", "utf-8"):
        body = form(DISPOSITIONS[0])
        response = post(EVENT_SOURCES["rest_stage"], "/read/", charset, body)
        assert response.status == 400

    assert levels() & {"ERROR", "CRITICAL"} == set()


def test_an_error_with_debug_is_the_clients_too(settings: Any):
    settings.DEBUG = True

    response = post(EVENT_SOURCES["rest_stage"], "/read/", body=form(DISPOSITIONS[0]))

    assert response.status == 400
    assert b"TypeError" in response.body


@pytest.mark.parametrize(
    ("charset", "value"),
    [
        ("latin-1", "é"),
        ("shift_jis", "東京"),
        ("utf-16", "東京"),
        ("utf-8", "\\ud800 +2AA-"),
        ("unknown", "é"),
    ],
)
def test_a_form_in_a_character_encoding_is_read(charset: str, value: str):
    encoded = value.encode("utf-8" if charset == "unknown" else charset)
    event_source = EVENT_SOURCES["http_default"]

    response = post(event_source, "/read/", charset, form(value=encoded))

    assert response.status == 200
    assert value in response.body.decode()


@pytest.mark.parametrize("charset", CHARSETS)
def test_no_other_text_is_taken_for_a_character_encoding(charset: str):
    assert not is_character_encoding(charset)


@given(
    charset=st.sampled_from(["", *CHARSETS, "utf-8", "utf-16", "ascii", "a\0", '"']),
    media_type=st.sampled_from(
        ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""]
    ),
    parameters=st.text("ab*01=;'\"%\\ ,é", max_size=12),
    disposition=st.sampled_from(DISPOSITIONS),
    value=st.binary(max_size=20) | st.sampled_from([b"\\ud800", b"+2AA-", b"a\0"]),
    encoding=st.sampled_from(["base64", "quoted-printable", "", "x"]),
    query=st.sampled_from(["", "a=%FF", "%5Cud800=%2B2AA-", "a=b;c&&=&%"]),
)
def test_any_form_is_read_or_a_bad_request(
    charset: str,
    media_type: str,
    parameters: str,
    disposition: str,
    value: bytes,
    encoding: str,
    query: str,
):
    content_type = f"{media_type}; charset={charset}; {parameters}"
    body = form(disposition, value, f"Content-Transfer-Encoding: {encoding}")

    response = send(
        EVENT_SOURCES["function_url"], f"/read/?{query}", content_type, body
    )

    assert response.status in (200, 400)


# Queries and headers


@pytest.mark.parametrize("charset", ["ascii", "cp1252", "hex", "unicode_escape"])
def test_a_query_that_the_charset_cannot_encode_is_a_bad_request(
    event_source: EventSource, charset: str, levels: Any
):
    content_type = f"text/plain; charset={charset}"

    response = send(event_source, "/link/?q=%C3%81", content_type)

    assert response.status == 400
    assert levels() & {"ERROR", "CRITICAL"} == set()


@pytest.mark.parametrize("accept", ACCEPT)
def test_an_accept_header_that_django_cannot_read_is_a_bad_request(
    event_source: EventSource, accept: str, levels: Any
):
    response = send(event_source, "/negotiate/", accept=accept)

    assert response.status == 400
    assert json.loads(response.body)["error"] == "bad_request"
    assert levels() & {"ERROR", "CRITICAL"} == set()


@pytest.mark.parametrize("accept", ACCEPT)
def test_an_error_keeps_its_status_with_any_accept_header(
    event_source: EventSource, accept: str, levels: Any
):
    response = send(event_source, "/nowhere/", accept=accept)

    assert response.status == 404
    assert json.loads(response.body)["error"] == "not_found"
    assert levels() & {"ERROR", "CRITICAL"} == set()


# The site's own errors


@pytest.mark.parametrize("content", [b"itself", b"below"])
def test_an_error_of_an_upload_handler_is_the_sites(content: bytes, reported: Any):
    body = form('form-data; name="f"; filename="a.txt"', content)

    response = post(EVENT_SOURCES["http_default"], "/upload/", body=body)

    assert response.status == 500
    assert len(reported) == 1


@pytest.mark.parametrize("target", ["/missing/", "/decode/"])
def test_an_error_of_a_view_is_the_sites(target: str, reported: Any):
    response = send(EVENT_SOURCES["http_default"], target)

    assert response.status == 500
    assert len(reported) == 1


def test_an_upload_handler_that_cannot_be_made_is_the_sites_error(settings: Any):
    settings.FILE_UPLOAD_HANDLERS = [f"{HERE}.UnmadeHandler"]

    assert post(EVENT_SOURCES["http_default"], "/read/").status == 500
