"""Responses that are sent while they are made: an export, progress of a task."""

import csv
import json
import time
from collections.abc import Iterator
from itertools import batched

from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse

from .models import Document

# In one chunk: each row alone would be a packet of its own.
EXPORT_ROWS = 500
COLUMNS = ["title", "file", "size", "checksum", "note", "uploaded_at"]

POLL_SECONDS = 0.5
# Then the browser connects again. A longer stream occupies the function for longer.
STREAM_SECONDS = 20
RETRY_MS = 1000


class Line:
    """A file for csv, which returns what is written."""

    def write(self, text: str) -> str:
        return text


def is_streamed(request: HttpRequest) -> bool:
    """Return whether the response is sent while it is made, and not at its end."""
    return "aws_lambda.limit_bytes" not in request.META


def export() -> StreamingHttpResponse:
    """Send all documents as CSV, some hundred rows at a time."""
    writer = csv.writer(Line())

    def chunks() -> Iterator[str]:
        yield str(writer.writerow(COLUMNS))
        rows = Document.objects.order_by("pk").values_list(*COLUMNS)
        for some in batched(rows.iterator(EXPORT_ROWS), EXPORT_ROWS):
            yield "".join(str(writer.writerow(row)) for row in some)

    return StreamingHttpResponse(
        chunks(),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="documents.csv"'},
    )


def progress(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """
    Send server-sent events until the task has computed the checksum of a document.

    Where responses are buffered there is one event, and the browser comes back.
    """
    seconds = STREAM_SECONDS if is_streamed(request) else 0

    def events() -> Iterator[str]:
        yield f"retry: {RETRY_MS}\n\n"
        begin = time.monotonic()
        while True:
            found = Document.objects.filter(pk=pk).values("size", "checksum").first()
            # Others may use it while this one waits.
            connection.close()
            waited = round(time.monotonic() - begin, 1)
            if not found or found["checksum"]:
                yield f"event: done\ndata: {json.dumps(found)}\n\n"
                return
            yield f"data: {json.dumps({'waited': waited})}\n\n"
            if waited >= seconds:
                return
            time.sleep(POLL_SECONDS)

    return StreamingHttpResponse(
        events(),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache"},
    )
