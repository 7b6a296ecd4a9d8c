"""Documents as CSV, row by row: a hundred thousand of them in constant memory."""

import csv
from collections.abc import Iterable, Iterator

from django.db.models import QuerySet
from django.utils.timezone import localdate

from .models import Document

COLUMNS = (
    "id",
    "title",
    "file",
    "status",
    "content_type",
    "size",
    "pages",
    "width",
    "height",
    "checksum",
    "uploaded_at",
    "uploaded_by__username",
    "approved_at",
    "approved_by__username",
)
# Rows that the database returns at a time.
CHUNK = 2000
# A spreadsheet runs a cell that begins with one of these.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """What csv.writer writes to: its row is the return value of writerow()."""

    def write(self, text: str) -> str:
        return text


def rows(documents: QuerySet[Document]) -> Iterator[str]:
    """Return the lines of the CSV file, with the names of the columns first."""
    writer = csv.writer(_Echo())
    yield writer.writerow(name.replace("__", "_") for name in COLUMNS)
    found: Iterable[tuple[object, ...]] = documents.values_list(*COLUMNS)
    for row in found.iterator(chunk_size=CHUNK):  # type: ignore[attr-defined]
        yield writer.writerow([cell(value) for value in row])


def cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    return value.isoformat() if hasattr(value, "isoformat") else value


def filename() -> str:
    return f"documents-{localdate():%Y-%m-%d}.csv"
