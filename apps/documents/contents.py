"""What is in a file: size, checksum, type, pages of a PDF, dimensions of an image."""

import hashlib
import logging
import os
from typing import IO, Any, NamedTuple

import imagesize
import puremagic
from pypdf import PdfReader

logger = logging.getLogger(__name__)

# Of the beginning, which decides the type.
HEAD_BYTES = 64 * 1024
# A larger PDF is not opened: its objects are in memory.
MAX_PDF_BYTES = 64 * 1024 * 1024
UNKNOWN = "application/octet-stream"
TEXT = "text/plain"


class Content(NamedTuple):
    """The fields of Document that a file decides."""

    size: int
    checksum: str
    content_type: str
    pages: int | None = None
    width: int | None = None
    height: int | None = None


def read(file: Any) -> Content:
    """Read a file from its beginning to its end, once for the checksum."""
    checksum = hashlib.file_digest(file, "sha256").hexdigest()
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    kind = detect(head)
    content = Content(size, checksum, kind)
    file.seek(0)
    if kind.startswith("image/"):
        width, height = imagesize.get(file)
        if width > 0 and height > 0:
            return content._replace(width=int(width), height=int(height))
    elif kind == "application/pdf" and size <= MAX_PDF_BYTES:
        return content._replace(pages=count_pages(file))
    return content


def detect(head: bytes) -> str:
    """Return the media type of a file that begins with these bytes."""
    try:
        kind: str = puremagic.from_string(head, mime=True)
    except (ValueError, puremagic.PureError):
        kind = ""
    if kind:
        return kind
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The last character may be cut.
        if error.start < len(head) - 3:
            return UNKNOWN
    return UNKNOWN if b"\0" in head or not head else TEXT


def count_pages(file: IO[bytes]) -> int | None:
    """Return the number of pages of a PDF, or None if it cannot be read."""
    try:
        return PdfReader(file).get_num_pages()
    except Exception as error:
        # Any can come out of a document that is damaged or encrypted.
        logger.info("Could not count the pages of a PDF: %r", error)
        return None
