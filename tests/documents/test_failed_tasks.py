"""A document whose task fails, in the tasks function."""

from typing import Any

import pytest
from django.core.files.base import ContentFile

from apps.aws_lambda.tasks import consumer
from apps.documents import contents
from apps.documents.models import Document
from apps.documents.tasks import fingerprint
from tests.aws_lambda.tasks.conftest import MAX_RECEIVE_COUNT, Function, Queue
from tests.documents.conftest import log_in, make_user
from tests.services.aws import AWS

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue(server: AWS, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Queue:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(consumer, "max_receive_counts", {})
    queue = Queue(server)
    settings.TASKS = queue.options()
    settings.LAMBDA_TASK_BACKOFF = (0, 0)
    return queue


@pytest.fixture
def document(queue: Queue) -> Document:
    document = Document(title="Minutes", uploaded_by=make_user("ann"))
    document.file.save("minutes.txt", ContentFile(b"We met."))
    fingerprint.enqueue(document.pk)
    return document


def unreadable(*args: object) -> None:
    raise OSError("the bucket does not answer")


def status(document: Document) -> str:
    document.refresh_from_db()
    return document.status


def test_a_document_has_failed_after_the_last_attempt_and_is_processed_again(
    document: Document, queue: Queue, monkeypatch: pytest.MonkeyPatch
):
    function = Function()
    mapping = queue.mapping(function)
    with monkeypatch.context() as broken:
        broken.setattr(contents, "read", unreadable)
        for _ in range(MAX_RECEIVE_COUNT - 1):
            mapping.poll()
            assert status(document) == "received"
        function.drain(queue)
    assert status(document) == "failed"
    assert len(queue.dead()) == 1
    page = log_in(document.uploaded_by).get("/inbox/").content.decode()
    assert '<p class="state failed">Failed</p>' in page

    staff = log_in(make_user("staff", is_staff=True, is_superuser=True))
    data = {"action": "process_again", "_selected_action": [document.pk]}
    staff.post("/admin/documents/document/", data)

    assert status(document) == "received"
    function.drain(queue)
    assert status(document) == "processed"


def test_a_document_that_another_task_has_read_has_not_failed(
    document: Document, queue: Queue, monkeypatch: pytest.MonkeyPatch
):
    Document.objects.update(status="processed")
    monkeypatch.setattr(contents, "read", unreadable)

    Function().drain(queue)

    assert status(document) == "processed"
    assert len(queue.dead()) == 1
