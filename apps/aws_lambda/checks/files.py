"""Uploads: where they are stored, and which handlers read them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning
from django.core.files import storage as storages
from django.core.files.storage import FileSystemStorage, InMemoryStorage
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.db.models import FileField

from ..aws.limits import MAX_BODY_BYTES
from .lookup import is_subclass, load

# Lambda mounts EFS below it, which all execution environments share.
# https://docs.aws.amazon.com/lambda/latest/api/API_FileSystemConfig.html
EFS = "/mnt"


def default_storage() -> Iterator[CheckMessage]:
    """Report uploads that are lost, on a site with a model that has some."""
    if not stores_uploads():
        return
    storage: dict[str, Any] = settings.STORAGES.get("default", {})
    backend = storage.get("BACKEND", "")
    if is_subclass(backend, FileSystemStorage):
        location = storage.get("OPTIONS", {}).get("location")
        place = Path(location or settings.MEDIA_ROOT).absolute()
        if place.is_relative_to(EFS):
            return
        why = f"{place} is read-only on Lambda, or lost with the execution environment"
    elif is_subclass(backend, InMemoryStorage):
        why = "memory is lost with the execution environment"
    else:
        return
    yield CheckError(
        f"STORAGES['default'] is {backend}: {why}, so uploads fail or are lost.",
        hint=f"Store files in S3 (django-storages), or on EFS mounted below {EFS}.",
        id="aws_lambda.E013",
    )


def stores_uploads() -> bool:
    """Return whether a field of a model stores files in the default storage."""
    return any(
        isinstance(field, FileField) and field.storage is storages.default_storage
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
    )


def upload_handlers() -> Iterator[CheckMessage]:
    """
    Report files that FILE_UPLOAD_HANDLERS drops.

    MemoryFileUploadHandler takes a file only if the whole body is within
    FILE_UPLOAD_MAX_MEMORY_SIZE. A file that no handler takes is missing from
    request.FILES, without an error.
    https://docs.djangoproject.com/en/stable/ref/files/uploads/
    """
    limit = settings.FILE_UPLOAD_MAX_MEMORY_SIZE
    for path in settings.FILE_UPLOAD_HANDLERS:
        if not is_subclass(path, MemoryFileUploadHandler):
            # Another one, such as Django's for large files, may take any file.
            return
        measures = MemoryFileUploadHandler.handle_raw_input
        if limit >= MAX_BODY_BYTES or load(path).handle_raw_input is not measures:
            return
    yield CheckError(
        f"FILE_UPLOAD_MAX_MEMORY_SIZE is {limit}, and no handler in "
        "FILE_UPLOAD_HANDLERS takes the files of a larger request: Django drops them "
        "silently.",
        hint=f"Set FILE_UPLOAD_MAX_MEMORY_SIZE = {MAX_BODY_BYTES}, Lambda's limit.",
        id="aws_lambda.E014",
    )


def body_limit() -> Iterator[CheckMessage]:
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    if limit is None or limit > MAX_BODY_BYTES:
        yield CheckWarning(
            f"DATA_UPLOAD_MAX_MEMORY_SIZE is {limit}: Lambda rejects requests over "
            f"{MAX_BODY_BYTES} bytes first, so this limit has no effect.",
            hint="Set it to the size of the largest form; Django's default is 2621440.",
            id="aws_lambda.W007",
        )
