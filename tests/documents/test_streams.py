"""The export of the documents, and the progress of their background task."""

import csv
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.db import connection, connections
from django.urls import reverse

from apps.aws_lambda.test import LambdaClient
from apps.documents import streams
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


def test_the_export_is_sent_some_rows_at_a_time(client: LambdaClient):
    titles = [f'"Zoë", {number}' for number in range(1200)]
    Document.objects.bulk_create(Document(title=title) for title in titles)

    response: Any = client.get(reverse("admin:documents_document_export"))

    rows = list(csv.DictReader(response.content.decode().splitlines()))
    assert [row["title"] for row in rows] == titles
    # The headings, and 1,200 rows by 500.
    assert len(response.chunks) == 4
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"


MANY = """
INSERT INTO documents_document (title, file, checksum, note, uploaded_at)
WITH RECURSIVE numbers (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000
)
SELECT %s, '', '', '', CURRENT_TIMESTAMP FROM numbers
"""


def test_a_hundred_thousand_rows_are_exported():
    with connection.cursor() as cursor:
        cursor.execute(MANY, ["x" * 100])
    client = LambdaClient("function_url_streamed")
    user = get_user_model().objects.create_superuser("ada")
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")

    response: Any = client.get(reverse("admin:documents_document_export"))

    # More than a result can have.
    assert len(response.content) > 12_000_000
    assert response.content.count(b"\r\n") == 100_001
    assert max(map(len, response.chunks)) < 100_000
    assert response.cut == ""


def test_the_export_is_compressed_in_blocks(client: LambdaClient):
    Document.objects.bulk_create(
        Document(title=f"Minutes {number}") for number in range(3000)
    )

    url = reverse("admin:documents_document_export")
    response: Any = client.get(url, headers={"Accept-Encoding": "gzip"})

    assert response.headers["Content-Encoding"] == "gzip"
    rows = gzip.decompress(response.content).decode().splitlines()
    assert len(rows) == 3001
    assert len(response.content) < 50_000


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

    monkeypatch.setattr("apps.documents.streams.time.sleep", wait)

    accepted = {"Accept-Encoding": "gzip"}
    response: Any = client.get(progress_url(document), headers=accepted)

    first, second, done = events(response.chunks)
    assert first.keys() == second.keys() == {"waited"}
    assert done["size"] == 7
    assert len(done["checksum"]) == 64
    assert waits == [streams.POLL_SECONDS] * 2
    assert response.headers["Content-Type"] == "text/event-stream"


def test_progress_ends_before_the_function_does(
    client: LambdaClient, document: Document, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(streams, "STREAM_SECONDS", 0)

    response: Any = client.get(progress_url(document))

    assert len(events(response.chunks)) == 1
    assert response.content.startswith(b"retry: 1000\n\n")


@pytest.mark.parametrize("name", ["export", "progress"])
def test_the_streams_need_a_permission(client: LambdaClient, name: str):
    user = get_user_model().objects.create_user("bob", is_staff=True)
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")

    arguments = [1] if name == "progress" else []
    url = reverse(f"admin:documents_document_{name}", args=arguments)
    assert client.get(url).status_code == 403
    assert LambdaClient().get(url).status_code == 302


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
