"""What is found in a file."""

import io

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


def test_a_pdf_has_pages():
    assert contents.read(io.BytesIO(pdf(3))).pages == 3


def test_a_pdf_that_is_damaged_has_none():
    assert contents.read(io.BytesIO(b"%PDF-1.4\nnothing")).pages is None


def test_a_pdf_that_is_too_large_for_the_memory_is_not_opened(monkeypatch):
    monkeypatch.setattr(contents, "MAX_PDF_BYTES", 10)

    assert contents.read(io.BytesIO(pdf(3))).pages is None
