"""Redirects to files in the bucket, and answers that are too large for a result."""

import re
import tracemalloc
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.signals import request_finished
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from apps.aws_lambda import downloads
from apps.aws_lambda.downloads import file_response, through_bucket
from apps.aws_lambda.http.gateway import EVENT_SOURCES
from apps.aws_lambda.media import S3Storage
from tests.services.aws import AWS

LIMIT = 64 * 1024
# As base64 it is above the limit.
SMALL, LARGE = b"a" * 1000, b"b" * 40_000


@pytest.fixture(scope="module")
def server() -> Iterator[AWS]:
    with AWS() as aws:
        aws.client("s3").create_bucket(
            Bucket="media",
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        yield aws


@pytest.fixture(autouse=True)
def aws(server: AWS, monkeypatch: pytest.MonkeyPatch, settings: Any) -> AWS:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "apps.aws_lambda.media.S3Storage",
            # Answers are not below it: the lifecycle rule has one prefix.
            "OPTIONS": {"bucket_name": "media", "location": "shop"},
        },
    }
    return server


def stored(storage: Any, name: str) -> Any:
    field = SimpleNamespace(name="file")
    return SimpleNamespace(
        name=name,
        storage=storage,
        field=field,
        instance=object(),
        open=lambda mode: storage.open(name, mode),
    )


def test_a_file_in_the_bucket_is_a_redirect():
    storage = S3Storage("media")
    name = storage.save("folder/a.txt", ContentFile("content"))

    response = file_response(stored(storage, name), filename="Straße.txt")

    assert response.status_code == 302
    assert response["Cache-Control"] == "private, no-store"
    assert "X-Amz-Expires=60" in response["Location"]
    with urlopen(response["Location"]) as answer:
        assert answer.read() == b"content"
        disposition = answer.headers["Content-Disposition"]
    assert disposition == "attachment; filename*=utf-8''Stra%C3%9Fe.txt"
    default = file_response(stored(storage, name))
    assert "a.txt" in default["Location"].partition("content-disposition=")[2]


def test_a_file_on_the_disk_is_sent(tmp_path):
    storage = FileSystemStorage(tmp_path)
    name = storage.save("a.txt", ContentFile("content"))

    response = file_response(stored(storage, name), filename="b.txt")

    assert isinstance(response, FileResponse)
    assert response["Content-Disposition"] == 'attachment; filename="b.txt"'
    assert b"".join(response) == b"content"
    # Not the response, which would tell the database that a request is over.
    assert response.file_to_stream
    response.file_to_stream.close()


def test_a_model_without_a_file_is_reported():
    with pytest.raises(ValueError, match="has no file in file"):
        file_response(stored(S3Storage("media"), ""))


def answer(content: bytes, streaming: bool, **options: Any) -> HttpResponseBase:
    if streaming:
        parts = (content[n : n + 999] for n in range(0, len(content), 999))
        return StreamingHttpResponse(parts, **options)
    return HttpResponse(content, **options)


def call(response: HttpResponseBase, method: str = "get", limit: int = 0) -> Any:
    def view(request: HttpRequest) -> HttpResponseBase:
        return response

    request = getattr(RequestFactory(), method)("/")
    if limit:
        request.META["aws_lambda.limit_bytes"] = limit
    return through_bucket(view)(request)


def test_an_answer_is_in_a_file_while_it_is_made(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(downloads, "MAX_MEMORY_BYTES", 2**16)
    used = []

    def chunks() -> Iterator[bytes]:
        for _ in range(32):
            used.append(tracemalloc.get_traced_memory()[0])
            yield bytes(2**16)

    tracemalloc.start()
    response = call(StreamingHttpResponse(chunks()), limit=LIMIT)
    tracemalloc.stop()

    assert response.status_code == 302
    assert len(used) == 32
    # A few of the chunks.
    assert max(used) - used[0] < 4 * 2**16


@pytest.mark.parametrize("streaming", [False, True])
def test_a_large_answer_is_in_the_bucket(streaming: bool):
    headers = {
        "Cache-Control": "public",
        "Content-Disposition": 'attachment; filename="rows.csv"',
        "Content-Length": str(len(LARGE)),
        "X-Own": "a",
    }
    given = answer(LARGE, streaming, content_type="text/csv", headers=headers)
    given.set_cookie("seen", "1")

    response = call(given, limit=LIMIT)

    assert response.status_code == 302
    assert response["X-Own"] == "a"
    assert response["Cache-Control"] == "private, no-store"
    assert response.cookies["seen"].value == "1"
    assert re.search(r"/media/exports/\w{32}\?", response["Location"])
    assert "Content-Length" not in response
    with urlopen(response["Location"]) as found:
        assert found.read() == LARGE
        assert found.headers["Content-Type"] == "text/csv"
        assert found.headers["Content-Disposition"].endswith('"rows.csv"')


def test_what_describes_the_body_is_in_the_bucket_with_it(settings):
    settings.STORAGES["default"]["OPTIONS"] |= {
        "region_name": "eu-west-2",
        "object_parameters": {
            "ContentLanguage": "en",
            "ServerSideEncryption": "AES256",
        },
    }
    headers = {"content-encoding": "gzip", "Content-Type": "text/csv"}

    response = call(answer(LARGE, False, headers=headers), limit=LIMIT)

    assert "Content-Encoding" not in response
    assert "eu-west-2" in response["Location"]
    with urlopen(response["Location"]) as found:
        assert found.headers["Content-Encoding"] == "gzip"
        assert found.headers["Content-Language"] is None
        assert found.headers["x-amz-server-side-encryption"] == "AES256"


def test_the_request_is_not_over_when_the_answer_is_stored():
    over: list[object] = []
    closed: list[bool] = []

    class Rows(list):
        def close(self) -> None:
            closed.append(True)

    def receiver(**kwargs: object) -> None:
        over.append(kwargs)

    request_finished.connect(receiver)
    try:
        response = call(StreamingHttpResponse(Rows([LARGE])), limit=LIMIT)
    finally:
        request_finished.disconnect(receiver)

    assert over == []
    assert response.status_code == 302
    [close] = response._resource_closers
    close()
    assert closed


@pytest.mark.parametrize("streaming", [False, True])
def test_a_small_answer_is_sent(streaming: bool):
    given = answer(SMALL, streaming)

    response = call(given, limit=LIMIT)

    assert response is given
    assert b"".join(response) == SMALL


def test_other_answers_are_left_alone(settings):
    assert call(answer(LARGE, False)).content == LARGE
    assert call(answer(LARGE, False, status=400), limit=LIMIT).status_code == 400
    assert call(answer(LARGE, False), "head", limit=LIMIT).status_code == 200
    files = "django.core.files.storage.FileSystemStorage"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": files}}
    assert call(answer(LARGE, False), limit=LIMIT).status_code == 200


def test_the_limit_is_one_of_the_event_sources():
    seen: list[Any] = []

    from apps.aws_lambda.http.gateway import make_gateway
    from apps.aws_lambda.invocation import Invocation
    from apps.aws_lambda.test import LambdaContext
    from tests.events import load_event

    def application(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ["aws_lambda.limit_bytes"])
        start_response("200 OK", [])
        return []

    for name in ("http_default", "alb_single"):
        serve = make_gateway(application)
        serve(Invocation(load_event(name), LambdaContext(), 1))

    limits = {source.limit_bytes for source in EVENT_SOURCES}
    assert {*seen} == limits
