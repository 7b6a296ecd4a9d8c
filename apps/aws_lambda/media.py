"""
A storage for uploaded files in a private S3 bucket, without an SDK in the way of links.

The first link that django-storages signs in an execution environment loads boto3,
which takes 230 ms of CPU time and 32 MB of memory, in a visitor's request. Here it
takes less than 1 ms. A file is read in blocks, so that it may be larger than the
memory of the function and its /tmp. What a web request rarely does, writing a file in
parts and listing folders, is left to django-storages, which is loaded then.
"""

import mimetypes
import posixpath
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files import File
from django.core.files.storage import Storage
from django.utils.deconstruct import deconstructible
from django.utils.http import content_disposition_header
from django.utils.timezone import make_naive

from .aws.http import AwsError
from .aws.limits import MAX_S3_LINK_SECONDS
from .aws.s3 import LINK_PARAMETERS, OBJECT_HEADERS, Bucket

# A larger file is stored in parts, by django-storages: this one is in memory.
MAX_PUT_BYTES = 16 * 1024 * 1024

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
TAKEN = {"ConditionalRequestConflict", "PreconditionFailed"}

# As Django's FileResponse: with a Content-Encoding a browser would unpack the file.
PACKED_TYPES = {
    "br": "application/x-brotli",
    "bzip2": "application/x-bzip",
    "compress": "application/x-compress",
    "gzip": "application/gzip",
    "xz": "application/x-xz",
}


@deconstructible
class S3Storage(Storage):
    """
    Store files in a bucket, and link to them with signed URLs.

    The options have the names that django-storages gives them:

    - ``bucket_name``, and ``region_name`` if it is not in the function's region
    - ``location``: a prefix of all keys, without a slash at its beginning
    - ``file_overwrite``: whether a file may replace another one; by default it gets
      another name, also if two are stored at once
    - ``querystring_expire``: how long links are valid, in seconds
    - ``object_parameters``: those of OBJECT_HEADERS, for each file that is stored

    Methods raise AwsError, and FileNotFoundError where Django's storage does.
    """

    def __init__(
        self,
        bucket_name: str,
        *,
        region_name: str = "",
        location: str = "",
        file_overwrite: bool = False,
        querystring_expire: int = 3600,
        object_parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.bucket = Bucket(bucket_name, region_name)
        self.location = location.rstrip("/")
        self.file_overwrite = file_overwrite
        self.querystring_expire = querystring_expire
        self.object_parameters = dict(object_parameters or {})
        if location.startswith("/"):
            raise ImproperlyConfigured(
                f"The location of a storage is {location!r}, in STORAGES: a key has no "
                "slash at its beginning. Remove it."
            )
        if unknown := self.object_parameters.keys() - OBJECT_HEADERS.keys():
            raise ImproperlyConfigured(
                f"object_parameters of a storage has {', '.join(sorted(unknown))}, in "
                f"STORAGES: only {', '.join(OBJECT_HEADERS)} are supported. Remove it, "
                "or use storages.backends.s3.S3Storage."
            )

    @cached_property
    def sdk(self) -> Any:
        """Return django-storages' storage for the same bucket; it loads boto3."""
        from boto3.s3.transfer import TransferConfig
        from storages.backends.s3 import S3Storage

        return S3Storage(
            bucket_name=self.bucket.name,
            region_name=self.bucket.region,
            location=self.location,
            file_overwrite=self.file_overwrite,
            querystring_expire=self.querystring_expire,
            object_parameters=self.object_parameters,
            # Ten threads have ten parts in memory, and no interrupt ends them.
            transfer_config=TransferConfig(use_threads=False),
            addressing_style="virtual",
            signature_version="s3v4",
        )

    def url(
        self,
        name: str | None,
        parameters: Mapping[str, str] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
        *,
        filename: str = "",
    ) -> str:
        """
        Return a signed link, for ``expire`` seconds. No call is made.

        ``filename`` is the name under which a browser saves the file, instead of
        showing it. ``parameters`` are those of LINK_PARAMETERS.
        """
        given = dict(parameters or {})
        if filename:
            given["ResponseContentDisposition"] = str(
                content_disposition_header(as_attachment=True, filename=filename)
            )
        if unknown := given.keys() - LINK_PARAMETERS.keys():
            raise ValueError(
                f"A link to {name} cannot have {', '.join(sorted(unknown))}: use some "
                f"of {', '.join(LINK_PARAMETERS)}"
            )
        seconds = self.querystring_expire if expire is None else expire
        return self.bucket.link(
            self.key(name or ""),
            min(int(seconds), MAX_S3_LINK_SECONDS),
            method=http_method or "GET",
            parameters={LINK_PARAMETERS[name]: given[name] for name in given},
        )

    def save(
        self, name: str | None, content: Any, max_length: int | None = None
    ) -> str:
        # A file that a browser has sent to the bucket.
        stored_in = getattr(content, "stored_in", None)
        if stored_in and (stored := stored_in(self)):
            return str(stored)
        while True:
            try:
                return super().save(name, content, max_length)
            except FileExistsError:
                # Another file of this name was stored since it was available.
                continue

    def exists(self, name: str) -> bool:
        return self.bucket.head(self.key(name)) is not None

    def size(self, name: str) -> int:
        return int(self._head(name)["content-length"])

    def get_modified_time(self, name: str) -> datetime:
        modified = parsedate_to_datetime(self._head(name)["last-modified"])
        return modified if settings.USE_TZ else make_naive(modified)

    def delete(self, name: str) -> None:
        # As Django's storage: without a key it would be a request to delete the bucket.
        if not clean(name):
            raise ValueError("The name must be given to delete().")
        self.bucket.delete(self.key(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        folders, files = self.sdk.listdir(path)
        return folders, files

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        return super().get_available_name(clean(name), max_length)

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        if self.file_overwrite:
            return not max_length or len(name) <= max_length
        return super().is_name_available(name, max_length)

    def key(self, name: str | PurePath) -> str:
        """
        Return the key of a file.

        Raises SuspiciousFileOperation for a name outside the location.
        """
        cleaned = clean(name)
        root = f"/{self.location}".rstrip("/") + "/"
        path = posixpath.normpath(posixpath.join(root, cleaned))
        if not f"{path}/".startswith(root):
            raise SuspiciousFileOperation(
                f"The file name {str(name)!r} is outside of the storage's location "
                f"{self.location!r}: use a name without '..' and '/' at its beginning."
            )
        return path.lstrip("/") + ("/" if cleaned.endswith("/") else "")

    def headers(self, name: str, content_type: str = "") -> dict[str, str]:
        """Return the headers of an object with this file name, for any upload."""
        headers = {OBJECT_HEADERS[k]: v for k, v in self.object_parameters.items()}
        guessed, encoding = mimetypes.guess_type(name)
        guessed = PACKED_TYPES.get(encoding, guessed) if encoding else guessed
        content_type = content_type or guessed or "application/octet-stream"
        return {"content-type": content_type, **headers}

    def _open(self, name: str, mode: str = "rb") -> File:
        if mode == "rb":
            return ReadFile(self, clean(name))
        opened: File = self.sdk._open(name, mode)
        return opened

    def _save(self, name: str, content: File) -> str:
        try:
            large = content.size > MAX_PUT_BYTES
        except (AttributeError, OSError):
            large = True  # It is a stream, and cannot be sent again.
        if large:
            saved: str = self.sdk._save(name, content)
            return saved
        content.seek(0)
        body: bytes | str = content.read()
        if isinstance(body, str):
            body = body.encode()
        headers = self.headers(name, getattr(content, "content_type", "") or "")
        try:
            self.bucket.put(self.key(name), body, headers, replace=self.file_overwrite)
        except AwsError as error:
            if error.code in TAKEN:
                raise FileExistsError(name) from None
            raise
        return clean(name)

    def _head(self, name: str) -> dict[str, str]:
        if (found := self.bucket.head(self.key(name))) is None:
            raise FileNotFoundError(f"There is no file {name} in {self.bucket.name}")
        return found


class ReadFile(File):
    """A file in the bucket, which can be opened again after it was closed."""

    def __init__(self, storage: S3Storage, name: str) -> None:
        self.storage = storage
        super().__init__(self.opened(name), name)

    def opened(self, name: str) -> Any:
        # A page that links to a file does not read it.
        from .aws.s3_file import open_object

        return open_object(self.storage.bucket, self.storage.key(name))

    def open(self, mode: str | None = None, *args: Any, **kwargs: Any) -> "ReadFile":
        if mode not in (None, "rb"):
            raise ValueError(
                f"The file {self.name} is opened to be read as bytes, and cannot be "
                f"opened again with the mode {mode!r}: use storage.open()."
            )
        if self.closed:
            self.file = self.opened(str(self.name))
        self.seek(0)
        return self


def clean(name: str | PurePath) -> str:
    """Return a file name with slashes only, and without empty parts."""
    text = str(name).replace("\\", "/")
    path = posixpath.normpath(text) if text else ""
    if text.endswith("/") and not path.endswith("/"):
        path += "/"
    return "" if path == "." else path
