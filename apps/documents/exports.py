"""Documents as CSV: a hundred thousand of them in constant memory."""

import csv
from collections.abc import Iterator
from itertools import batched
from typing import Any

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
FETCHED_ROWS = 2000
# Rows in one chunk of the response: each alone would be a packet of its own.
SENT_ROWS = 500
# A spreadsheet runs a cell that begins with one of these.
# https://owasp.org/www-community/attacks/CSV_Injection
FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class _Echo:
    """What csv.writer writes to: its row is the return value of writerow()."""

    def write(self, text: str) -> str:
        return text


def chunks(documents: QuerySet[Document]) -> Iterator[str]:
    """Return the CSV file in chunks, with the names of the columns first."""
    writer = csv.writer(_Echo())
    yield writer.writerow(name.replace("__", "_") for name in COLUMNS)
    found: Any = documents.values_list(*COLUMNS)
    for rows in batched(found.iterator(chunk_size=FETCHED_ROWS), SENT_ROWS):
        yield "".join(writer.writerow(map(cell, row)) for row in rows)


def cell(value: object) -> object:
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    return value.isoformat() if hasattr(value, "isoformat") else value


def filename() -> str:
    return f"documents-{localdate():%Y-%m-%d}.csv"
