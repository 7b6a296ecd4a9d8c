import hashlib
import logging

from django.tasks import task

from .models import Document

logger = logging.getLogger(__name__)


@task
def fingerprint(document_id: int) -> str | None:
    """
    Store the size and the SHA-256 checksum of a document's file; return the latter.

    Returns None if the document or its file was deleted after the task was enqueued.
    """
    document = Document.objects.filter(pk=document_id).first()
    if document is None:
        logger.info("Document %s does not exist any more", document_id)
        return None
    name = document.file.name
    try:
        with document.file.open("rb") as file:
            size, checksum = file.size, hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        logger.warning("The file of document %s does not exist any more", document_id)
        return None
    # Update only if the file is still the same: another task was enqueued for a new
    # one. Other fields may have changed too.
    Document.objects.filter(pk=document_id, file=name).update(
        size=size, checksum=checksum
    )
    return checksum
