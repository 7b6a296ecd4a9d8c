"""Compressed responses, over all event sources."""

import asyncio
import gzip
import io
import json
import os
import string
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import RequestFactory
from django.urls import path
from django.views.decorators.gzip import gzip_page

from apps.aws_lambda.middleware import CompressionMiddleware
from apps.aws_lambda.test import EventSource, LambdaClient
from tests.aws_lambda.site import buffered

pytestmark = pytest.mark.urls(__name__)

COMPRESSION = "apps.aws_lambda.middleware.CompressionMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"

TEXT = b"<p>Gzip finds what is repeated.</p>\n" * 200
# Of random ones of these, gzip saves a fifth.
SIGNS = f"{string.digits}{string.ascii_letters}!#$%&()*+,-./:;<=>?@[]".encode()
ROWS = [f"{number},row {number}\n".encode() for number in range(20_000)]
NO_TRANSFORM = {"Cache-Control": "private, no-transform"}


def page(request: HttpRequest) -> HttpResponse:
    return HttpResponse(TEXT, content_type=request.GET.get("type", "text/html"))


def row_by_row(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter(ROWS), content_type="text/csv")


def events(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse([TEXT], content_type="text/event-stream")


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(TEXT), filename="page.html")


def part(request: HttpRequest) -> HttpResponse:
    headers = {"Content-Range": f"bytes 0-{len(TEXT) - 1}/{2 * len(TEXT)}"}
    return HttpResponse(TEXT, status=206, headers=headers)


def small(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"a" * 999)


def encoded(request: HttpRequest) -> HttpResponse:
    return HttpResponse(TEXT, headers={"Content-Encoding": "br"})


def untransformed(request: HttpRequest) -> HttpResponse:
    return HttpResponse(TEXT, headers=NO_TRANSFORM)


def tagged(request: HttpRequest) -> HttpResponse:
    return HttpResponse(TEXT, headers={"ETag": '"a"', "Vary": "accept-encoding"})


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(json.dumps(["row"] * 1_000_000), "application/json")


urlpatterns = [
    path("page", page),
    path("page/gzip", gzip_page(page)),
    path("rows", row_by_row),
    path("events", events),
    path("file", file),
    path("part", part),
    path("small", small),
    path("encoded", encoded),
    path("no-transform", untransformed),
    path("tagged", tagged),
    path("large", large),
]


@pytest.fixture(autouse=True)
def middleware(settings: LazySettings) -> None:
    settings.MIDDLEWARE = [COMPRESSION, CONDITIONAL, COMMON]


def get(
    event_source: EventSource, url: str, accepts: str = "br, gzip", **headers: str
) -> Any:
    client = LambdaClient(event_source)
    return client.get(url, headers={"Accept-Encoding": accepts, **headers})


def length(event_source: EventSource, response: Any) -> str:
    """Return the Content-Length that the function or the event source has set."""
    renamed = event_source.streams and "content-length" in event_source.renamed_headers
    value: str = response[f"{'x-amzn-Remapped-' * renamed}Content-Length"]
    return value


def vary(response: Any) -> list[str]:
    return [name.strip().lower() for name in response.get("Vary", "").split(",")]


@pytest.mark.parametrize(
    "media_type",
    [
        "text/html; charset=utf-8",
        "TEXT/CSV",
        "text/plain; charset=iso-8859-1",
        "application/json",
        "application/problem+json",
        "image/svg+xml",
    ],
)
def test_a_text_is_compressed(event_source: EventSource, media_type: str):
    response = get(event_source, f"/page?type={quote(media_type, safe='')}")

    assert response.fault == ""
    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.content) == TEXT
    assert length(event_source, response) == str(len(response.content))
    assert response["Content-Type"] == media_type
    assert vary(response).count("accept-encoding") == 1


@pytest.mark.parametrize(
    "accepts",
    ["", "br", "identity", "*", "gzip;q=0", "gzip ; q=0.000, br", "br, GZIP; Q=0.0,*"],
)
def test_a_client_that_does_not_ask_for_gzip_gets_none(
    event_source: EventSource, accepts: str
):
    response = get(event_source, "/page", accepts)

    assert "Content-Encoding" not in response
    assert response.content == TEXT
    # A cache has the other one for another client.
    assert vary(response).count("accept-encoding") == 1


@pytest.mark.parametrize("accepts", ["gzip", "gzip;q=0.5", "br;q=0, gzip;q=1.0"])
def test_a_client_that_asks_for_gzip_gets_it(event_source: EventSource, accepts: str):
    assert get(event_source, "/page", accepts)["Content-Encoding"] == "gzip"


@pytest.mark.parametrize(
    "url",
    [
        "/page?type=image/png",
        "/page?type=application/zip",
        "/page?type=",
        "/events",
        "/file",
        "/part",
        "/small",
        "/no-transform",
    ],
)
def test_what_gains_nothing_or_must_not_change_leaves_as_it_is(
    event_source: EventSource, url: str
):
    response = get(event_source, url)

    assert "Content-Encoding" not in response
    assert "Vary" not in response
    assert response.content == (b"a" * 999 if url == "/small" else TEXT)


def test_a_part_of_a_file_stays_a_part(event_source: EventSource):
    response = get(event_source, "/part", Range=f"bytes=0-{len(TEXT) - 1}")

    assert response.status_code == 206
    assert length(event_source, response) == str(len(TEXT))


def test_what_the_application_has_encoded_is_not_encoded_again(
    event_source: EventSource,
):
    response = get(event_source, "/encoded")

    assert (response["Content-Encoding"], response.content) == ("br", TEXT)
    assert "Vary" not in response


@pytest.mark.parametrize("place", ["before", "after", "view"])
def test_a_site_that_compresses_itself_is_left_to_it(
    event_source: EventSource, settings: LazySettings, place: str
):
    url = "/page/gzip" if place == "view" else "/page"
    if place != "view":
        index = 0 if place == "before" else 1
        settings.MIDDLEWARE.insert(index, GZIP)

    response = get(event_source, url)

    assert response["Content-Encoding"] == "gzip"
    assert gzip.decompress(response.content) == TEXT
    assert vary(response).count("accept-encoding") == 1


@buffered
def test_rows_that_are_streamed_are_compressed_together(event_source: EventSource):
    response = get(event_source, "/rows")

    whole = b"".join(ROWS)
    assert gzip.decompress(response.content) == whole
    # Flushed after each row it would be larger than the rows.
    assert len(response.content) < 1.1 * len(gzip.compress(whole, 6)) + 100


def test_rows_of_an_asynchronous_iterator_are_compressed():
    async def rows() -> AsyncIterator[bytes]:
        for row in ROWS:
            yield row

    async def read(response: StreamingHttpResponse) -> bytes:
        return b"".join([chunk async for chunk in response])

    request = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})
    streaming = StreamingHttpResponse(rows(), content_type="text/csv")

    response = CompressionMiddleware(lambda request: streaming)(request)

    assert isinstance(response, StreamingHttpResponse)
    assert gzip.decompress(asyncio.run(read(response))) == b"".join(ROWS)


@pytest.mark.parametrize("url", ["/page", "/rows", "/file", "/small"])
def test_head_has_the_headers_of_get(event_source: EventSource, url: str):
    client, accepts = LambdaClient(event_source), {"Accept-Encoding": "gzip"}
    got, head = (send(url, headers=accepts) for send in (client.get, client.head))

    assert head.content == b""
    # ConditionalGetMiddleware adds an ETag to a GET only.
    for name in ("Content-Encoding", "Vary"):
        assert head.get(name) == got.get(name)
    if "Content-Length" in head:
        # The random bytes of a page are up to 100.
        difference = int(head["Content-Length"]) - int(got["Content-Length"])
        assert abs(difference) < (100 if got.has_header("Content-Encoding") else 1)


def test_an_etag_becomes_weak_and_still_matches(event_source: EventSource):
    response = get(event_source, "/tagged")

    assert response["ETag"] == 'W/"a"'
    assert vary(response).count("accept-encoding") == 1
    again = get(event_source, "/tagged", **{"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert get(event_source, "/tagged", "br")["ETag"] == '"a"'


def test_the_etag_of_a_page_is_that_of_its_text(event_source: EventSource):
    first, second = (get(event_source, "/page")["ETag"] for _ in range(2))

    assert first == second
    response = get(event_source, "/page", **{"If-None-Match": first})
    assert response.status_code == 304
    assert "Content-Encoding" not in response


def test_the_length_of_a_page_does_not_show_its_secrets(event_source: EventSource):
    lengths = {len(get(event_source, "/page").content) for _ in range(10)}

    assert len(lengths) > 1


@buffered
def test_the_limit_counts_what_leaves(
    event_source: EventSource, caplog: pytest.LogCaptureFixture
):
    response = get(event_source, "/large")

    assert response.status_code == 200
    body = gzip.decompress(response.content)
    assert len(body) > event_source.max_response
    assert len(json.loads(body)) == 1_000_000
    assert get(event_source, "/large", "br").status_code == 500
    assert "as JSON. The limit of" in caplog.text


@buffered
def test_the_limit_counts_base64(
    event_source: EventSource, monkeypatch: pytest.MonkeyPatch
):
    table = bytes(SIGNS[number % len(SIGNS)] for number in range(256))
    body = os.urandom(event_source.max_response - 20_000).translate(table)
    assert 4 / 3 * len(gzip.compress(body)) > event_source.max_response

    monkeypatch.setitem(globals(), "TEXT", body)
    response = get(event_source, "/page?type=text/plain")

    assert response.status_code == 200
    assert response.content == body
    assert response["Content-Length"] == str(len(body))
    assert "Content-Encoding" not in response
    assert response["ETag"].startswith('"')


def test_it_is_switched_off_by_the_setting(
    event_source: EventSource, settings: LazySettings
):
    settings.LAMBDA_COMPRESSION = False

    response = get(event_source, "/page")

    assert response.content == TEXT
    assert "Vary" not in response


def test_a_stream_is_closed_once():
    closed = []

    class Rows:
        def __iter__(self) -> Iterator[bytes]:
            return iter(ROWS)

        def close(self) -> None:
            closed.append(1)

    streaming = StreamingHttpResponse(Rows(), content_type="text/csv")
    request = RequestFactory().get("/", headers={"Accept-Encoding": "gzip"})
    response = CompressionMiddleware(lambda request: streaming)(request)
    assert isinstance(response, StreamingHttpResponse)
    assert gzip.decompress(b"".join(iter(response))) == b"".join(ROWS)
    response.close()

    assert closed == [1]
