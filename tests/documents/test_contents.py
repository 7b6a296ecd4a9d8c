"""What is found in a file."""

import io
import struct

import pytest
from pypdf import PdfWriter

from apps.documents import contents
from tests.documents.conftest import PNG


def pdf(pages: int) -> bytes:
    writer = PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(100, 100)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (PNG, "image/png"),
        (b"%PDF-1.4\nwith more in it", "application/pdf"),
        (b"We met.", "text/plain"),
        ("Grüße".encode() * 20_000, "text/plain"),
        (b"\0\1\2\3", "application/octet-stream"),
        (b"\xfd\xfc" * 9, "application/octet-stream"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_type_is_that_of_the_content(content: bytes, kind: str):
    assert contents.read(io.BytesIO(content)).content_type == kind


def test_a_character_that_is_cut_at_the_end_of_the_head_is_text():
    content = b"a" * (contents.HEAD_BYTES - 1) + "ü".encode()

    assert contents.read(io.BytesIO(content)).content_type == "text/plain"


def test_an_image_has_dimensions():
    content = contents.read(io.BytesIO(PNG))

    assert (content.width, content.height, content.pages) == (3, 2, None)


def test_an_image_that_is_cut_has_none():
    content = contents.read(io.BytesIO(PNG[:12]))

    assert (content.width, content.height) == (None, None)


@pytest.mark.parametrize("sides", [(2**31, 2), (3, 2**32 - 1)])
def test_an_image_larger_than_the_columns_has_none(sides: tuple[int, int]):
    content = contents.read(
        io.BytesIO(PNG[:16] + struct.pack(">LL", *sides) + PNG[24:])
    )

    assert content[2:] == ("image/png", None, None, None)


@pytest.mark.parametrize(
    "image",
    [
        b"P6 " + b"1" * 300_000,
        b"\xff\xd8\xff\xe0\0\x10JFIF\0" + b"\xff\xe0\0\2" * 9000,
    ],
)
def test_an_image_whose_header_does_not_end_is_left_alone(image: bytes):
    class Counted(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            return super().read(size)

    file = Counted(image)

    assert contents.read(file).width is None
    assert file.reads < contents.MAX_IMAGE_READS + 10


def test_one_read_of_a_header_is_limited():
    file = io.BytesIO(bytes(contents.MAX_READ_BYTES + 1))

    assert len(contents.Header(file).read(2**32)) == contents.MAX_READ_BYTES
    file.seek(0)
    assert len(contents.Header(file).read()) == contents.MAX_READ_BYTES


def test_a_pdf_has_pages():
    assert contents.read(io.BytesIO(pdf(3))).pages == 3


def test_a_pdf_that_is_damaged_has_none():
    assert contents.read(io.BytesIO(b"%PDF-1.4\nnothing")).pages is None


def test_a_pdf_that_is_too_large_for_the_memory_is_not_opened(monkeypatch):
    monkeypatch.setattr(contents, "MAX_PDF_BYTES", 10)

    assert contents.read(io.BytesIO(pdf(3))).pages is None
