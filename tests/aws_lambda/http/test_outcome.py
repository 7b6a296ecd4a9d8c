"""What a client and the access log get when Django does not answer itself."""

import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import django
import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.http import gateway
from apps.aws_lambda.test import EventSource, LambdaContext, Request
from tests.aws_lambda.http.test_semantics import result_headers
from tests.events import accepting, load_event

BAD_CONTENT_TYPE = "text/html; x*=bad''%41"
HTML = "text/html,application/xhtml+xml"


# Views


def hide_the_deadline(request: HttpRequest) -> HttpResponse:
    try:
        time.sleep(5)
    except BaseException:
        raise ValueError("another exception hides it") from None
    return HttpResponse()


def answer_in_spite_of_the_deadline(request: HttpRequest) -> HttpResponse:
    try:
        time.sleep(5)
    except BaseException:
        return HttpResponse("partial", status=503)
    return HttpResponse()


def finish_in_spite_of_the_deadline(request: HttpRequest) -> HttpResponse:
    try:
        time.sleep(5)
    except BaseException:
        return HttpResponse("complete")
    return HttpResponse()


def exit_view(request: HttpRequest) -> HttpResponse:
    raise SystemExit(3)


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * 6_300_000, content_type="image/png")


def broken_stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("in mid-stream")

    return StreamingHttpResponse(chunks())


ASYNC: list[str] = []


async def endless_view(request: HttpRequest) -> HttpResponse:
    import asyncio

    try:
        while True:
            await asyncio.sleep(0.01)
            ASYNC.append("runs")
    finally:
        ASYNC.append("cancelled")


async def endless_stream(request: HttpRequest) -> StreamingHttpResponse:
    import asyncio

    async def chunks() -> Any:
        try:
            while True:
                await asyncio.sleep(0.01)
                ASYNC.append("runs")
                yield b"chunk"
        finally:
            ASYNC.append("cancelled")

    return StreamingHttpResponse(chunks())


urlpatterns = [
    path("hidden/", hide_the_deadline),
    path("partial/", answer_in_spite_of_the_deadline),
    path("complete/", finish_in_spite_of_the_deadline),
    path("exit/", exit_view),
    path("large/", large),
    path("broken-stream/", broken_stream),
    path("endless/", endless_view),
    path("endless-stream/", endless_stream),
]
handler404 = "apps.aws_lambda.views.page_not_found"

pytestmark = pytest.mark.urls(__name__)


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Any:
    caplog.set_level(logging.INFO)

    def read(name: str = "apps.aws_lambda.access") -> list[Any]:
        return [r for r in caplog.records if r.name == name]

    return read


def serve(event: dict[str, Any], timeout: float = 29) -> dict[str, Any]:
    handler = make_handler(WSGIHandler(), deadline_margin=0.1)
    result: dict[str, Any] = handler(event, LambdaContext(timeout=timeout))
    return result


def event_for(path: str, accept: str = "application/json") -> dict[str, Any]:
    return accepting(load_event("http_default", rawPath=path), accept)


# The client's errors


@pytest.mark.skipif(
    django.VERSION < (6, 1),
    reason="Before 6.1, Django raises a ValueError: https://code.djangoproject.com/ticket/36991",
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_header_that_django_cannot_read_is_a_bad_request(
    event_source: EventSource, method: str, lines: Any, caplog: Any
):
    handler = make_handler(WSGIHandler(), **event_source.handler_options)
    headers = (("Content-Type", BAD_CONTENT_TYPE), ("Accept", "application/json"))
    request = Request(method, f"{event_source.prefix}/", headers)

    response = event_source.send(handler, request, LambdaContext())

    assert (response.status, response.fault) == (400, "")
    if method == "GET":
        body = json.loads(response.body)
        assert body["error"] == "bad_request"
        assert body["requestId"] == response.values("X-Request-ID")[0]
    else:
        assert response.body == b""
    [line] = lines()
    assert (line.status, line.metrics["ClientErrors"]) == (400, 1)
    levels = {r.levelname for r in caplog.records}
    assert "WARNING" in levels
    assert levels & {"ERROR", "CRITICAL"} == set()


# One error writer


@pytest.mark.parametrize(
    ("url", "status"), [("/exit/", 500), ("/large/", 500), ("/broken-stream/", 500)]
)
@pytest.mark.parametrize("accept", ["application/json", HTML])
def test_an_error_outside_of_django_looks_like_all_others(
    url: str, status: int, accept: str
):
    with override_settings(
        CORS_ALLOWED_ORIGINS=["https://app.example.com"],
        CORS_URLS_REGEX="",
        MIDDLEWARE=[
            "apps.aws_lambda.middleware.RequestIDMiddleware",
            "corsheaders.middleware.CorsMiddleware",
            "django.middleware.security.SecurityMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        INSTALLED_APPS=["apps.aws_lambda", "corsheaders"],
        SECURE_HSTS_SECONDS=60,
    ):
        event = event_for(url, accept)
        event["headers"]["origin"] = "https://app.example.com"
        result = serve(event)

    headers = result_headers(result)
    assert result["statusCode"] == status
    assert headers["x-content-type-options"] == ["nosniff"]
    assert headers["strict-transport-security"] == ["max-age=60"]
    assert headers["x-frame-options"] == ["DENY"]
    assert headers["access-control-allow-origin"] == ["https://app.example.com"]
    [identifier] = headers["x-request-id"]
    assert identifier in result["body"]
    page = accept == HTML
    assert headers["content-type"][0].startswith("text/html" if page else "application")


def test_an_error_of_a_preflight_request_stays_an_error(settings: Any):
    settings.CORS_ALLOW_ALL_ORIGINS = True
    settings.MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware"]
    event = load_event("alb_multi", httpMethod="OPTIONS", body="x" * 1_100_000)
    event["multiValueHeaders"] |= {
        "origin": ["https://app.example.com"],
        "access-control-request-method": ["PUT"],
    }

    assert serve(event)["statusCode"] == 413


def test_an_error_over_plain_http_stays_an_error(settings: Any):
    settings.SECURE_SSL_REDIRECT = True
    settings.MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
    event = load_event("http_default_post", body="x" * 6_300_000)

    result = make_handler(WSGIHandler(), scheme="http")(event, LambdaContext())

    assert result["statusCode"] == 413


def test_an_upload_over_the_limit_is_explained_to_a_person():
    event = load_event("rest_stage_post", body="A" * 6_300_000, isBase64Encoded=True)

    result = serve(accepting(event, HTML))

    assert result["statusCode"] == 413
    assert "Files up to 4.5 MB" in result["body"]
    assert "6,3" not in result["body"]


@pytest.mark.parametrize(("url", "status"), [("/nowhere/", 404), ("/exit/", 500)])
def test_the_projects_own_page_wins(
    url: str, status: int, tmp_path: Any, settings: Any
):
    (tmp_path / f"{status}.html").write_text("Ours: {{ request_id }}")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]

    result = serve(event_for(url, HTML))

    [identifier] = result_headers(result)["x-request-id"]
    assert (result["statusCode"], result["body"]) == (status, f"Ours: {identifier}")


def test_a_page_of_the_project_that_fails_is_replaced(tmp_path: Any, settings: Any):
    (tmp_path / "500.html").write_text("{% url 'missing' %}")
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [{**engine, "DIRS": [tmp_path]}]

    result = serve(event_for("/exit/", HTML))

    assert result["statusCode"] == 500
    assert "It has been logged" in result["body"]


# The count


@pytest.mark.parametrize(
    ("url", "status"),
    [("/exit/", 500), ("/large/", 500), ("/broken-stream/", 500), ("/nowhere/", 404)],
)
def test_the_access_line_has_what_the_client_gets(lines: Any, url: str, status: int):
    result = serve(event_for(url))

    [line] = lines()
    assert line.status == result["statusCode"] == status
    assert line.metrics["Requests"] == 1
    assert line.metrics["Errors"] == int(status == 500)
    assert line.response_bytes == len(result["body"])


@pytest.mark.parametrize("url", ["/hidden/", "/partial/"])
def test_a_deadline_that_an_error_hides_is_remembered(lines: Any, url: str):
    result = serve(event_for(url), timeout=0.3)

    assert result["statusCode"] == 504
    [line] = lines()
    assert (line.status, line.metrics["Errors"]) == (504, 1)
    hits = [
        r.metrics["DeadlineHits"]
        for name in ("apps.aws_lambda.middleware", "apps.aws_lambda.http.gateway")
        for r in lines(name)
        if "DeadlineHits" in getattr(r, "metrics", {})
    ]
    assert hits == [1]


def test_a_hidden_deadline_is_remembered_without_our_middleware(lines: Any):
    with override_settings(MIDDLEWARE=[]):
        result = serve(event_for("/hidden/"), timeout=0.3)

    assert result["statusCode"] == 504
    [line] = lines()
    assert (line.status, line.route) == (504, "(none)")


def test_a_response_that_is_complete_in_spite_of_the_deadline_is_sent():
    result = serve(event_for("/complete/"), timeout=0.3)

    assert (result["statusCode"], result["body"]) == (200, "complete")


# The end


# Django warns of every asynchronous stream under WSGI.
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
@pytest.mark.parametrize("url", ["/endless/", "/endless-stream/"])
@pytest.mark.parametrize("middleware", [True, False])
def test_what_is_asynchronous_ends_with_its_request(url: str, middleware: bool):
    ASYNC.clear()
    changes: dict[str, Any] = {} if middleware else {"MIDDLEWARE": []}

    with override_settings(**changes):
        result = serve(event_for(url), timeout=0.4)

    assert result["statusCode"] == 504
    assert ASYNC[-1] == "cancelled"
    before = len(ASYNC)
    time.sleep(0.1)
    assert len(ASYNC) == before


def test_every_event_source_tells_the_size_of_a_file_as_people_write_it():
    limits = {source.name: source.upload_limit for source in gateway.EVENT_SOURCES}

    assert limits.pop("ALB") == "0.7 MB"
    assert set(limits.values()) == {"4.5 MB"}
