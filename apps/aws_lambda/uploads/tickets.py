"""
Who may upload: the user of a page with the form, for the field in the form.

A ticket is signed. It is in the page, and comes with each request for a grant, so
that the permission to upload is that to see the form.
"""

from typing import Any

from django.core import signing
from django.db.models import FileField

from ..invocation import web_request
from ..media import S3Storage

SALT = "lambda_uploads.ticket"
# A form that was left open for longer is reloaded.
MAX_AGE_SECONDS = 24 * 3600


class NeedsInstance(Exception):
    """What an ``upload_to`` raises that reads the model instance."""


class Unsaved:
    """The instance before there is one: nothing can be read of it."""

    def __getattribute__(self, name: str) -> Any:
        raise NeedsInstance(name)

    # Python finds it on the class, and calls it for str() and format(), too.
    def __repr__(self) -> str:
        raise NeedsInstance("__repr__")


def new_name(field: FileField, filename: str) -> str:
    """
    Return the name in the storage, with the folder that ``upload_to`` gives.

    Raises what a callable ``upload_to`` raises, and NeedsInstance.
    """
    # Its name may be part of the folder.
    kind = type(field.model.__name__, (Unsaved,), {})
    return field.generate_filename(kind(), filename)


def label(field: FileField) -> str:
    return f"{field.model._meta.label}.{field.name}"


def user_id() -> Any:
    """Return the primary key of the user of the current request, or None."""
    user = getattr(web_request.get(), "user", None)
    return user.pk if user is not None and user.is_authenticated else None


def issue(field: FileField) -> str:
    """
    Return a ticket for the current user and the field; "" without direct upload.

    That is so for a user who is not logged in, for a storage that is not in a bucket,
    and for an ``upload_to`` that reads the instance, which does not exist yet.
    """
    user = user_id()
    if user is None or not accepts(field):
        return ""
    return signing.dumps([label(field), str(user)], salt=SALT)


def accepts(field: FileField) -> bool:
    """Return whether the files of a field can be uploaded directly."""
    storage = field.storage
    # It may be a LazyObject around the storage.
    if not isinstance(storage, S3Storage) or storage.file_overwrite:
        return False
    try:
        new_name(field, "file.bin")
    except Exception:
        # It reads the instance, or takes other names only.
        return False
    return True


def check(ticket: str) -> str:
    """Return the label of the field. Raises BadSignature unless it is the user's."""
    given, user = signing.loads(ticket, salt=SALT, max_age=MAX_AGE_SECONDS)
    if user != str(user_id()):
        raise signing.BadSignature("the ticket of another user")
    return str(given)
