import logging

from django.db import transaction
from django.db.models import QuerySet
from django.dispatch import receiver
from django.tasks import TaskResult, TaskResultStatus, task
from django.tasks.signals import task_finished
from django.utils import timezone

from .models import Document

logger = logging.getLogger(__name__)

# Messages that one request sends in seconds.
MAX_AT_ONCE = 500


@task
def fingerprint(document_id: int) -> str | None:
    """
    Read a document's file and store what is in it; return the SHA-256 checksum.

    Returns None if the document or its file was deleted after the task was enqueued.
    """
    # It loads libraries, and a page that enqueues the task does not need them.
    from . import contents

    document = Document.objects.filter(pk=document_id).first()
    if document is None:
        logger.info("Document %s does not exist any more", document_id)
        return None
    # Update only if the file is still the same: another task was enqueued for a new
    # one. Other fields may have changed too.
    same = Document.objects.filter(pk=document_id, file=document.file.name)
    try:
        with document.file.open("rb") as file:
            found = contents.read(file)
    except FileNotFoundError:
        logger.warning("The file of document %s does not exist any more", document_id)
        same.update(status=Document.Status.FAILED, approved_at=None, approved_by=None)
        return None
    same.update(status=Document.Status.PROCESSED, **found._asdict())
    return found.checksum


@receiver(task_finished)
def mark_as_failed(task_result: TaskResult, **kwargs: object) -> None:
    """
    Mark a document whose task has raised in its last attempt.

    The signal is not sent between attempts, nor if the last one has ended the process:
    such a document stays "received", and the digest counts it.
    """
    if task_result.task.module_path != fingerprint.module_path:
        return
    if task_result.status == TaskResultStatus.FAILED:
        [key] = task_result.args
        # Another task may have read it meanwhile.
        waiting = Document.objects.filter(pk=key, status=Document.Status.RECEIVED)
        waiting.update(status=Document.Status.FAILED)


def process_again(documents: QuerySet[Document]) -> int:
    """
    Enqueue the task for each document; return their number.

    Raises ValueError for more than MAX_AT_ONCE, and does nothing then.
    """
    keys = list(documents.order_by().values_list("pk", flat=True)[: MAX_AT_ONCE + 1])
    if len(keys) > MAX_AT_ONCE:
        raise ValueError(f"more than {MAX_AT_ONCE} documents")
    with transaction.atomic():
        # A document keeps what was found until the task has read it again.
        Document.objects.filter(pk__in=keys).update(
            status=Document.Status.RECEIVED, approved_at=None, approved_by=None
        )
        for key in keys:
            fingerprint.enqueue(key)
    return len(keys)


def approve(documents: QuerySet[Document], user: object) -> int:
    """Approve those that are processed, and not approved yet; return their number."""
    ready = documents.filter(status=Document.Status.PROCESSED, approved_at=None)
    return ready.update(approved_at=timezone.now(), approved_by=user)
