"""The progress of the background task that reads a document."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.db import connection, connections
from django.urls import reverse

from apps.aws_lambda.test import LambdaClient
from apps.documents import progress
from apps.documents.models import Document
from apps.documents.tasks import fingerprint

pytestmark = pytest.mark.django_db(transaction=True)

STREAMED = ("rest_streamed", "function_url_streamed")


@pytest.fixture(params=STREAMED)
def client(request: pytest.FixtureRequest) -> Iterator[LambdaClient]:
    user = get_user_model().objects.create_superuser("ada")
    client = LambdaClient(request.param)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    yield client
    connection.close()


@pytest.fixture
def document() -> Document:
    document = Document(title="Minutes")
    document.file.save("minutes.txt", ContentFile(b"We met."))
    return document


def events(chunks: Any) -> list[Any]:
    return [
        json.loads(chunk.partition(b"data: ")[2])
        for chunk in chunks
        if b"data" in chunk
    ]


def progress_url(document: Document) -> str:
    return reverse("admin:documents_document_progress", args=[document.pk])


def test_progress_is_sent_until_the_task_is_done(
    client: LambdaClient, document: Document, monkeypatch: pytest.MonkeyPatch
):
    waits: list[float] = []
    closings: list[None] = []
    monkeypatch.setattr(connections["default"], "close", lambda: closings.append(None))

    def wait(seconds: float) -> None:
        waits.append(seconds)
        # Others have the connection meanwhile.
        assert len(closings) == len(waits)
        if len(waits) == 2:
            fingerprint.call(document.pk)

    monkeypatch.setattr("apps.documents.progress.time.sleep", wait)

    accepted = {"Accept-Encoding": "gzip"}
    response: Any = client.get(progress_url(document), headers=accepted)

    first, second, done = events(response.chunks)
    assert first.keys() == second.keys() == {"waited"}
    assert done["size"] == 7
    assert len(done["checksum"]) == 64
    assert waits == [progress.POLL_SECONDS] * 2
    assert response.headers["Content-Type"] == "text/event-stream"


def test_progress_ends_before_the_function_does(
    client: LambdaClient, document: Document, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(progress, "STREAM_SECONDS", 0)

    response: Any = client.get(progress_url(document))

    assert len(events(response.chunks)) == 1
    assert re.match(rb"retry: 1000\nid: \d+\n\n", response.content)


@pytest.mark.parametrize("last", ["", "x", "1" * 13, "²"])
def test_progress_counts_from_the_first_event(
    client: LambdaClient,
    document: Document,
    monkeypatch: pytest.MonkeyPatch,
    last: str,
):
    monkeypatch.setattr(progress, "STREAM_SECONDS", 0)
    monkeypatch.setattr("apps.documents.progress.time.time", lambda: 1000.5)
    url = progress_url(document)
    first: Any = client.get(url, headers={"Last-Event-ID": last})
    [begin] = re.findall(rb"id: (\d+)", first.content)

    # As a browser does that connects again.
    monkeypatch.setattr("apps.documents.progress.time.time", lambda: 1007.1)
    later: Any = client.get(url, headers={"Last-Event-ID": begin.decode()})

    assert events(first.chunks) == [{"waited": 0}]
    assert events(later.chunks) == [{"waited": 7}]


def test_progress_needs_a_permission(client: LambdaClient, document: Document):
    user = get_user_model().objects.create_user("bob", is_staff=True)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")

    assert client.get(progress_url(document)).status_code == 403
    assert LambdaClient().get(progress_url(document)).status_code == 302


def test_progress_of_a_document_that_is_gone_is_done(
    client: LambdaClient, document: Document
):
    url = progress_url(document)
    document.delete()

    response: Any = client.get(url)

    assert events(response.chunks) == [None]


def test_progress_of_a_file_that_is_gone_says_so(
    client: LambdaClient, document: Document
):
    document.file.storage.delete(str(document.file.name))
    fingerprint.call(document.pk)

    response: Any = client.get(progress_url(document))

    [done] = events(response.chunks)
    assert done == {"status": "Failed", "size": None, "checksum": ""}


def test_the_page_of_a_document_says_whether_it_streams(
    client: LambdaClient, document: Document
):
    url = reverse("admin:documents_document_change", args=[document.pk])
    buffered = LambdaClient("rest_domain")
    buffered.force_login(get_user_model().objects.get())

    pages = [each.get(url).content.decode() for each in (client, buffered)]
    for page in pages:
        assert f'data-progress="{progress_url(document)}"' in page
    assert ["buffered here" in page for page in pages] == [False, True]
    # One event, and the browser comes back.
    answer = buffered.get(progress_url(document))
    assert answer.content.count(b"data: ") == 1
