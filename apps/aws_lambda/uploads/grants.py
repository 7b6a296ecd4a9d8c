"""
The life of an upload: granted, signed, finished, claimed; or cancelled, or purged.

The file goes to its final key. Each request of the browser is signed for exactly one
body: its length, its SHA-256 and, for a whole file, its type. Nothing replaces an
object, and what is finished is compared with what was granted.
"""

import logging
import os
import re
from base64 import b64decode
from datetime import timedelta
from typing import Any, NamedTuple, cast

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import (
    FieldDoesNotExist,
    SuspiciousFileOperation,
    ValidationError,
)
from django.core.files.uploadedfile import UploadedFile
from django.core.validators import FileExtensionValidator
from django.db import connections, router, transaction
from django.db.models import FileField, ImageField, Q
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.translation import gettext as _

from .. import conf
from ..aws import multipart
from ..aws.http import AwsError
from ..aws.limits import MAX_S3_PARTS
from ..media import S3Storage
from . import tickets
from .models import (
    MAX_FILENAME_CHARACTERS,
    MAX_NAME_CHARACTERS,
    TOKEN_CHARACTERS,
    Upload,
)

logger = logging.getLogger(__name__)

# A file above it is sent in parts of at least this size.
PART_BYTES = 16 * 1024 * 1024
# A form validates an image in memory.
MAX_IMAGE_BYTES = 32 * 1024 * 1024
# The answer of a function has 6 MB, and a URL 1.5 KB.
MAX_SIGNED_PARTS = 100
# Enough to send a part, and no longer than credentials are kept at least.
LINK_SECONDS = 600
# Random, in names: 71 bits.
NAME_CHARACTERS = 12
# When an upload that no form has claimed is removed. It can be used for an hour less:
# with a link that is still valid, the file would come again.
EXPIRY = timedelta(hours=24)
USABLE = EXPIRY - timedelta(hours=1)
CANCELLED = timedelta(seconds=2 * LINK_SECONDS)
# A browser runs what is in a document of these types.
ACTIVE_TYPES = ("html", "javascript", "svg", "xml")
TOKEN = re.compile(rf"[0-9A-Za-z]{{{TOKEN_CHARACTERS}}}")
GONE = {"NoSuchUpload", "NoSuchKey", "NotFound"}


class Refused(Exception):
    """
    The text is for the user.

    ``field`` is what was refused of the arguments: "name", "size" or "parts", or "".
    """

    def __init__(self, text: str = "", field: str = "") -> None:
        super().__init__(text)
        self.field = field


class Unavailable(Refused):
    """The user has no such upload, or not any more."""


class Unfinished(Exception):
    """The result is not known yet: ask again."""


class Signed(NamedTuple):
    """A request that the browser may make: a PUT with these headers."""

    number: int
    url: str
    headers: dict[str, str]


def start(label: str, filename: str, size: int) -> Upload:
    """Grant the current user the upload of one file. Raises Refused."""
    field, storage = _destination(label)
    # As Django's parser of forms: PostgreSQL stores no NUL, a title has no line break.
    filename = "".join(character for character in filename if character.isprintable())
    _refuse_by_name_or_size(field, filename, size)
    name = _new_name(field, filename)
    headers = object_headers(storage, name)
    upload = Upload(
        token=get_random_string(TOKEN_CHARACTERS),
        user_id=tickets.user_id(),
        field=label,
        name=name,
        filename=_shown_name(field, filename),
        content_type=headers["content-type"],
        size=size,
        part_size=max(size, 1),
    )
    if size > PART_BYTES:
        # Rounded up to MiB.
        fewest = size // MAX_S3_PARTS // 2**20 + 1
        upload.part_size = max(PART_BYTES, fewest * 2**20)
    _insert_within_quota(upload)
    if size > PART_BYTES:
        # Not in the transaction, which would wait for S3 and others for it.
        try:
            upload.upload_id = multipart.create(
                storage.bucket, storage.key(name), headers
            )
        except BaseException:
            # The deadline, too: it would count until it is purged.
            upload.delete()
            raise
        upload.save(update_fields=["upload_id"])
    return upload


def _insert_within_quota(upload: Upload) -> None:
    """
    Store a grant, or refuse it if its user has too many that no form has saved.

    The user's row is locked meanwhile: two requests at once would count the same.
    """
    alias = router.db_for_write(Upload)
    user: Any = upload.user_id
    now = timezone.now()
    # After a link has expired, nothing can be sent for a cancelled one.
    open_ = Q(cancelled_at=None) | Q(cancelled_at__gt=now - CANCELLED)
    features = connections[alias].features
    with transaction.atomic(using=alias):
        if features.has_select_for_update:
            users = get_user_model()._base_manager.using(alias)
            # Rows that refer to the user may be inserted, where that is possible.
            no_key = features.has_select_for_no_key_update
            users.select_for_update(no_key=no_key).filter(pk=user).first()
        # First: SQLite, which locks no rows, lets the others wait from here on.
        upload.save(using=alias, force_insert=True)
        mine = Upload.objects.using(alias).filter(
            open_,
            user_id=user,
            claimed_at=None,
            created_at__gt=now - EXPIRY,
        )
        quota: int = conf.get("LAMBDA_UPLOAD_QUOTA")
        if mine.count() > quota:
            raise Refused(
                _(
                    "You have %d unsaved uploads. Save or remove some of them: a "
                    "removed one counts for 20 minutes more."
                )
                % quota
            )


def sign(token: str, checksums: dict[int, str]) -> list[Signed]:
    """
    Return requests for parts, by their number and the base64 of their SHA-256.

    A file that is not sent in parts is part 1. Raises Refused.
    """
    upload = find(token)
    storage = _destination(upload.field)[1]
    if upload.done_at:
        raise Unavailable(_unavailable())
    if len(checksums) > MAX_SIGNED_PARTS:
        raise Refused(_("Too many parts. The limit is %d.") % MAX_SIGNED_PARTS, "parts")
    key = storage.key(upload.name)
    signed = []
    for number, digest in sorted(checksums.items()):
        size, sha256 = _part_bytes(upload, number), _sha256(digest)
        if upload.upload_id:
            part = multipart.PartOf(key, upload.upload_id, number)
            request = multipart.signed_part(
                storage.bucket, part, LINK_SECONDS, size, sha256
            )
        else:
            headers = object_headers(storage, upload.name)
            request = storage.bucket.signed_upload(
                key, LINK_SECONDS, size, sha256, headers
            )
        signed.append(Signed(number, *request))
    return signed


def sent(token: str) -> list[multipart.Part]:
    """Return the parts that the bucket has. Raises Refused."""
    upload = find(token)
    if upload.done_at or not upload.upload_id:
        return []
    storage = _destination(upload.field)[1]
    try:
        return multipart.parts(
            storage.bucket, storage.key(upload.name), upload.upload_id
        )
    except AwsError as error:
        if error.code in GONE:
            raise Unavailable(_("The upload has ended. Send the file again.")) from None
        raise


def finish(token: str) -> Upload:
    """
    Return the upload when the bucket has what was granted.

    It may be called again. Raises Refused, and Unfinished if the bucket still
    assembles the parts.
    """
    upload = find(token)
    if upload.done_at:
        return upload
    storage = _destination(upload.field)[1]
    bucket, key = storage.bucket, storage.key(upload.name)
    expected = ""
    headers = bucket.head(key, checksums=True)
    if headers is None and upload.upload_id:
        parts = sent(token)
        if sum(part.size for part in parts) != upload.size:
            raise Refused(_("The file is not complete. Send it again."))
        if all(part.sha256 for part in parts):
            expected = multipart.checksum(parts)
        try:
            multipart.complete(bucket, key, upload.upload_id, parts, upload.size)
        except AwsError as error:
            if error.code and error.code not in {*GONE, "PreconditionFailed"}:
                raise
        headers = bucket.head(key, checksums=True)
        if headers is None:
            raise Unfinished
    if headers is None:
        raise Refused(_("The file is not complete. Send it again."))
    granted = {
        **object_headers(storage, upload.name),
        "content-length": str(upload.size),
    }
    compared = ("content-length", "content-type", "content-disposition")
    found = headers.get("x-amz-checksum-sha256", expected)
    if any(headers.get(name) != granted[name] for name in compared) or (
        expected and found != expected
    ):
        raise Refused(_("The file is not the one that was announced."))
    upload.done_at = timezone.now()
    upload.save(update_fields=["done_at"])
    return upload


def cancel(token: str) -> None:
    """
    Delete what was sent of an upload, which cannot be used any more. Raises Refused.

    ``purge`` deletes it again: a link that is still valid may bring it back.
    """
    upload = find(token)
    rows = Upload.objects.filter(pk=token, claimed_at=None)
    if rows.update(cancelled_at=timezone.now()):
        _delete_file(upload)


def purge() -> int:
    """
    Remove the uploads that no form has claimed in time; return their number.

    Raises the last AwsError, after it has tried all of them.
    """
    before = timezone.now() - EXPIRY
    removed = 0
    failure: AwsError | None = None
    for upload in Upload.objects.filter(created_at__lt=before, claimed_at=None):
        # So that no form can claim it from now on.
        rows = Upload.objects.filter(pk=upload.pk, claimed_at=None)
        if rows.update(cancelled_at=timezone.now()):
            try:
                _delete_file(upload)
            except AwsError as error:
                failure = error
            else:
                removed += upload.delete()[0]
    Upload.objects.filter(claimed_at__lt=before).delete()
    if failure:
        raise failure
    return removed


def _delete_file(upload: Upload) -> None:
    try:
        storage = _destination(upload.field)[1]
    except Refused:
        return  # The model is gone, and with it the bucket.
    key = storage.key(upload.name)
    if upload.upload_id:
        try:
            multipart.abort(storage.bucket, key, upload.upload_id)
        except AwsError as error:
            if error.code not in GONE:
                raise
    storage.bucket.delete(key)


def claim(upload: Upload) -> bool:
    """
    Return whether the upload was claimed now, and never before.

    In the transaction that saves the model: a rollback gives it back.
    """
    rows = Upload.objects.filter(pk=upload.pk, claimed_at=None, cancelled_at=None)
    return rows.filter(done_at__isnull=False).update(claimed_at=timezone.now()) == 1


def find(token: str) -> Upload:
    """Return an upload of the current user that no form has claimed, or refuse."""
    user = tickets.user_id()
    if user is None or not TOKEN.fullmatch(token):
        raise Unavailable(_unavailable())
    found = Upload.objects.filter(
        pk=token,
        user_id=user,
        claimed_at=None,
        cancelled_at=None,
        created_at__gt=timezone.now() - USABLE,
    ).first()
    if found is None:
        raise Unavailable(_unavailable())
    return found


def object_headers(storage: S3Storage, name: str) -> dict[str, str]:
    """
    Return the headers of an uploaded object.

    The type is that of the name, not what the browser says. A browser saves the
    file instead of showing it, so that no upload runs as a page.
    """
    headers = storage.headers(name)
    guessed = headers["content-type"]
    if any(kind in guessed.lower() for kind in ACTIVE_TYPES):
        headers["content-type"] = "application/octet-stream"
    return {**headers, "content-disposition": "attachment"}


def _refuse_by_name_or_size(field: FileField, filename: str, size: int) -> None:
    largest: int = conf.get("LAMBDA_UPLOAD_MAX_BYTES")
    if isinstance(field, ImageField):
        largest = min(largest, MAX_IMAGE_BYTES)
    if size > largest:
        raise Refused(
            _("The file has %(size)s. The limit is %(limit)s.")
            % {"size": filesizeformat(size), "limit": filesizeformat(largest)},
            "size",
        )
    if size < 1:
        raise Refused(_("The submitted file is empty."), "size")
    try:
        given = UploadedFile(name=filename, size=size)
        if not given.name:
            raise Refused(_("No file was submitted."), "name")
        for validator in field.validators:
            if isinstance(validator, FileExtensionValidator):
                validator(given)
    except SuspiciousFileOperation:
        raise Refused(_("The name of the file is not valid."), "name") from None
    except ValidationError as error:
        raise Refused(" ".join(error.messages), "name") from None


def _new_name(field: FileField, filename: str) -> str:
    """Return a name that no file has, where the field stores its files."""
    name = UploadedFile(name=filename).name or ""
    try:
        name = tickets.new_name(field, name)
    except Exception:
        # A callable upload_to may raise anything for a name that it does not expect.
        logger.warning("upload_to of %s failed", tickets.label(field), exc_info=True)
        raise Refused(_("The name of the file is not valid."), "name") from None
    root, suffix = os.path.splitext(name)
    end = f"_{get_random_string(NAME_CHARACTERS)}{suffix}"
    longest = min(field.max_length or MAX_NAME_CHARACTERS, MAX_NAME_CHARACTERS)
    folder = os.path.dirname(root)
    if len(folder) + 1 + len(end) > longest:
        raise Refused(_("The name of the file is too long."), "name")
    return root[: longest - len(end)] + end


def _shown_name(field: FileField, filename: str) -> str:
    """Return the user's name of the file, no longer than the form field accepts."""
    root, suffix = os.path.splitext(UploadedFile(name=filename).name or "")
    longest = min(field.max_length or MAX_FILENAME_CHARACTERS, MAX_FILENAME_CHARACTERS)
    suffix = suffix[:longest]
    return root[: longest - len(suffix)] + suffix


def _destination(label: str) -> tuple[FileField, S3Storage]:
    model_label, _dot, name = label.rpartition(".")
    try:
        field = apps.get_model(model_label)._meta.get_field(name)
    except (FieldDoesNotExist, LookupError, ValueError):
        raise Refused(_("This field takes no uploads.")) from None
    if not isinstance(field, FileField) or not tickets.accepts(field):
        raise Refused(_("This field takes no uploads."))
    return field, cast(S3Storage, field.storage)


def _part_bytes(upload: Upload, number: int) -> int:
    before = (number - 1) * upload.part_size
    if number < 1 or before >= upload.size:
        raise Refused(_("The file has no part %d.") % number, "parts")
    return min(upload.part_size, upload.size - before)


def _sha256(text: str) -> str:
    try:
        if len(b64decode(text, validate=True)) == 32:
            return text
    except ValueError:
        pass
    raise Refused(_("The checksum is not a SHA-256."), "parts")


def _unavailable() -> str:
    return _("This upload is not available. Send the file again.")
