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
# An image's header takes some dozens of reads; one that was made to has no end.
MAX_IMAGE_READS = 2000
MAX_READ_BYTES = 1024 * 1024
# PostgreSQL's integer has no larger number, and a header of four bytes has.
MAX_INTEGER = 2**31 - 1
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
        width, height = map(int, imagesize.get(Header(file)))
        if 0 < width <= MAX_INTEGER and 0 < height <= MAX_INTEGER:
            return content._replace(width=width, height=height)
    elif kind == "application/pdf" and size <= MAX_PDF_BYTES:
        return content._replace(pages=count_pages(file))
    return content


class Header:
    """A file for imagesize: it ends after so many reads, of so many bytes each."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.reads = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self.file.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        self.reads += 1
        if self.reads > MAX_IMAGE_READS:
            return b""
        return self.file.read(
            min(size, MAX_READ_BYTES) if size >= 0 else MAX_READ_BYTES
        )


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
