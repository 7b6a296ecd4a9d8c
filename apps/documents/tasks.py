import hashlib
import logging

from django.tasks import task

from .models import Document

logger = logging.getLogger(__name__)


@task
def fingerprint(document_id: int) -> str | None:
    """
    Compute size and checksum of a document's file, and return the checksum.

    None if there is no such document any more, or no file: it was deleted, or
    replaced, since this was enqueued.
    """
    document = Document.objects.filter(pk=document_id).first()
    if document is None:
        logger.info("The document %s is gone", document_id)
        return None
    name = document.file.name
    try:
        with document.file.open("rb") as file:
            size, checksum = file.size, hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        logger.warning("The file of document %s is gone", document_id)
        return None
    # Only for this file: meanwhile it may have been replaced, which enqueued
    # another task. Whatever else was changed stays as it is.
    Document.objects.filter(pk=document_id, file=name).update(
        size=size, checksum=checksum
    )
    return checksum
