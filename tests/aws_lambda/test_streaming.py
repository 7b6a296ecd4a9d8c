"""Django's streaming responses, through event sources that stream."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.signals import request_finished
from django.db import connection, transaction
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    StreamingHttpResponse,
)
from django.templatetags.static import static
from django.urls import path
from django.utils.translation import get_language, override

from apps.aws_lambda.test import (
    EVENT_SOURCES,
    STREAMED_EVENT_SOURCES,
    EventSource,
    LambdaClient,
)

pytestmark = pytest.mark.urls(__name__)

User = get_user_model()
MEBIBYTE = 1024 * 1024
FILE = Path(tempfile.gettempdir()) / "streamed-file"


def events(request: HttpRequest) -> StreamingHttpResponse:
    def made() -> Iterator[str]:
        for number in range(3):
            yield f"data: {number} {get_language()}\n\n"

    return StreamingHttpResponse(made(), content_type="text/event-stream")


def text_stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(letter * 2000 for letter in "ab")


def page(request: HttpRequest) -> HttpResponse:
    response = HttpResponse("hello", headers={"X-Own": "Zoë"})
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return response


def file(request: HttpRequest) -> FileResponse:
    return FileResponse(FILE.open("rb"), as_attachment=True)


def fails(request: HttpRequest) -> StreamingHttpResponse:
    def made() -> Iterator[str]:
        yield "first"
        raise ValueError("in the stream")

    return StreamingHttpResponse(made())


def asynchronous(request: HttpRequest) -> StreamingHttpResponse:
    async def made() -> AsyncIterator[str]:
        yield "one"
        yield "two"
        if request.GET:
            raise ValueError("in the stream")

    return StreamingHttpResponse(made())


def writes(request: HttpRequest) -> StreamingHttpResponse:
    """Write a row in the view, one in the stream, and leave a transaction open."""
    User.objects.create(username="view")

    def made() -> Iterator[str]:
        yield f"{connection.in_atomic_block} "
        User.objects.create(username="stream")
        yield f"{User.objects.count()}"
        connection.set_autocommit(False)
        User.objects.create(username="left open")
        yield " end"

    return StreamingHttpResponse(made())


def asks(request: HttpRequest) -> StreamingHttpResponse:
    """Ask the database in the view, and in the stream."""
    User.objects.exists()

    def made() -> Iterator[str]:
        for _ in range(11 if "many" in request.GET else 2):
            yield f"{User.objects.exists()} "
        if "fail" in request.GET:
            raise ValueError("in the stream")

    return StreamingHttpResponse(made())


def limit(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.META.get("aws_lambda.limit_bytes")))


urlpatterns = [
    path("events/", events),
    path("page/", page),
    path("file/", file),
    path("fails/", fails),
    path("writes/", transaction.non_atomic_requests(writes)),
    path("atomic/", writes),
    path("limit/", limit),
    path("asks/", asks),
    path("asynchronous/", asynchronous),
    path("text/", text_stream),
]


@pytest.fixture(params=STREAMED_EVENT_SOURCES)
def client(request: pytest.FixtureRequest) -> LambdaClient:
    return LambdaClient(request.param)


def test_a_streaming_response_is_sent_event_by_event(client: LambdaClient):
    with override("en"):
        response: Any = client.get("/events/")

    assert response.chunks == tuple(f"data: {n} en\n\n".encode() for n in range(3))
    assert response.headers["Content-Type"] == "text/event-stream"
    assert "Content-Encoding" not in response.headers
    assert response.cut == ""


def test_a_stream_that_is_watched_is_not_compressed(client: LambdaClient):
    response: Any = client.get("/text/", headers={"Accept-Encoding": "gzip"})

    assert response.chunks == (b"a" * 2000, b"b" * 2000)
    assert "Content-Encoding" not in response.headers
    # A whole one is held back anyway.
    buffered = LambdaClient("rest_domain").get(
        "/text/", headers={"Accept-Encoding": "gzip"}
    )
    assert buffered.headers["Content-Encoding"] == "gzip"


def test_a_page_has_its_headers_and_cookies(client: LambdaClient):
    response: Any = client.get("/page/")

    assert (response.status_code, response.content) == (200, b"hello")
    assert response.headers["X-Own"] == "Zoë"
    assert {name: cookie.value for name, cookie in response.cookies.items()} == {
        "a": "1",
        "b": "2",
    }


def test_a_file_of_more_than_six_megabytes_is_sent_in_large_blocks(
    client: LambdaClient,
):
    FILE.write_bytes(b"0123456789abcdef" * (MEBIBYTE // 2))

    response: Any = client.get("/file/")

    assert response.content == FILE.read_bytes()
    assert len(response.chunks) == 8 * MEBIBYTE // (256 * 1024)
    FILE.unlink()


def test_a_part_of_a_static_file_is_sent(client: LambdaClient):
    url = static("admin/css/base.css")
    whole: Any = client.get(url)

    part: Any = client.get(url, headers={"Range": "bytes=10-19"})

    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(whole.content)}"
    assert part.cut == ""


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_an_asynchronous_stream_is_made_before_its_first_byte(client: LambdaClient):
    response: Any = client.get("/asynchronous/")
    assert (response.chunks, response.cut) == ((b"one", b"two"), "")

    client.raise_request_exception = False
    assert client.get("/asynchronous/?fail").status_code == 500


def test_a_download_does_not_pass_through_the_bucket(client: LambdaClient):
    # through_bucket() compares an answer with it.
    assert client.get("/limit/").content == b"None"
    assert LambdaClient("rest_domain").get("/limit/").content.isdigit()


def test_a_stream_that_fails_is_cut(
    client: LambdaClient, caplog: pytest.LogCaptureFixture
):
    response: Any = client.get("/fails/")

    assert (response.status_code, response.content) == (200, b"first")
    assert response.cut == "Application.Failed"
    assert "after 5 bytes of the response" in caplog.text
    assert "ValueError: in the stream" in caplog.text


@pytest.mark.parametrize("url", ["/events/", "/page/", "/fails/", "/nowhere/"])
def test_a_request_is_finished_once(client: LambdaClient, url: str):
    finished: list[Any] = []

    def receive(**kwargs: Any) -> None:
        finished.append(kwargs)

    request_finished.connect(receive)
    try:
        client.get(url)
        client.head(url)
    finally:
        request_finished.disconnect(receive)

    assert len(finished) == 2


def test_a_head_request_gets_no_body(client: LambdaClient):
    response: Any = client.head("/events/")

    assert (response.content, response.chunks) == (b"", ())
    assert response.headers["Content-Type"] == "text/event-stream"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["rest_domain", *STREAMED_EVENT_SOURCES])
@pytest.mark.parametrize(("query", "queries"), [("", 3), ("?fail", 3), ("?many", 12)])
def test_the_queries_of_a_stream_are_in_the_access_line(
    name: str, query: str, queries: int, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("INFO", "apps.aws_lambda")

    LambdaClient(name).get(f"/asks/{query}")

    line: Any
    [line] = [r for r in caplog.records if r.name.endswith(".access")]
    assert line.queries == queries
    assert line.metrics["DatabaseTime"] == (line.queries_ms, "Milliseconds")
    assert connection.execute_wrappers == []


@pytest.mark.django_db
def test_a_stream_that_is_not_made_leaves_nothing_behind(client: LambdaClient):
    client.head("/asks/")

    assert connection.execute_wrappers == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("url", ["/writes/", "/atomic/"])
def test_a_generator_runs_outside_of_the_transaction_of_its_view(
    client: LambdaClient, url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    response: Any = client.get(url)

    # As with every WSGI server: the view has been committed before.
    assert response.content == b"False 2 end"
    # What it leaves open is rolled back at the end.
    assert connection.get_autocommit()
    assert {user.username for user in User.objects.all()} == {"view", "stream"}


def test_a_function_that_does_not_stream_is_a_fault_of_a_gateway_that_does():
    class Mismatched(type(EVENT_SOURCES["rest_domain"])):  # type: ignore[misc]
        streams = True

    source: EventSource = Mismatched("mismatched", "www.example.com")
    client = LambdaClient(source, application=None)
    client.function.handler = lambda event, context: {"statusCode": 200}

    assert client.get("/page/").status_code == 502


# Other WSGI applications


def lazy(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("202 Accepted", [("X-Lazy", "1")])
    yield b""
    yield b"one"
    yield b"two"


def writing(environ: Any, start_response: Any) -> Iterator[bytes]:
    write = start_response("200 OK", [])
    write(b"written, ")
    yield b"one"
    write(b", written")


def replacing(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])(b"lost")
    try:
        raise ValueError("before the first byte")
    except ValueError as error:
        start_response("503 Unavailable", [], (type(error), error, None))
    yield b"sorry"


def too_late(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"one"
    try:
        raise ValueError("after the first byte")
    except ValueError as error:
        start_response("503 Unavailable", [], (type(error), error, None))
    yield b"sorry"


def text(environ: Any, start_response: Any) -> Iterator[Any]:
    start_response("200 OK", [])
    yield b"one"
    yield "two"


def empty(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield from ()


@pytest.mark.parametrize(
    ("application", "status", "chunks", "cut"),
    [
        (lazy, 202, (b"one", b"two"), ""),
        (writing, 200, (b"written, ", b"one", b", written"), ""),
        (replacing, 503, (b"sorry",), ""),
        (too_late, 200, (b"one",), "Application.Failed"),
        (text, 200, (b"one",), "Application.Failed"),
        (empty, 200, (), ""),
    ],
)
def test_an_application_follows_the_rules_of_wsgi(
    application: Any, status: int, chunks: Any, cut: str
):
    client = LambdaClient("function_url_streamed", application=application)
    response: Any = client.get("/")

    assert (response.status_code, response.chunks) == (status, chunks)
    assert response.cut == cut
