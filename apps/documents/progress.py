"""Server-sent events of the background task that reads a document."""

import json
import re
import time
from collections.abc import Iterator

from django.db import connection
from django.http import HttpRequest, StreamingHttpResponse

from .models import Document

POLL_SECONDS = 0.5
# Then the browser connects again. A longer stream occupies the function for longer.
STREAM_SECONDS = 20
RETRY_MS = 1000


def is_streamed(request: HttpRequest) -> bool:
    """Return whether the response is sent while it is made, and not at its end."""
    return "aws_lambda.limit_bytes" not in request.META


def events(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """
    Send server-sent events until the task has read the document.

    Where responses are buffered there is one event, and the browser comes back. It
    sends the ID of the last event then: the time at which it began to wait.
    """
    last = request.headers.get("Last-Event-ID", "")
    began = int(last) if re.fullmatch(r"[0-9]{1,12}", last) else int(time.time())
    seconds = STREAM_SECONDS if is_streamed(request) else 0

    def lines() -> Iterator[str]:
        yield f"retry: {RETRY_MS}\nid: {began}\n\n"
        end = time.monotonic() + seconds
        while True:
            document = Document.objects.filter(pk=pk).first()
            # Others may use it while this one waits.
            connection.close()
            if document is None or document.status != Document.Status.RECEIVED:
                yield f"event: done\ndata: {json.dumps(found(document))}\n\n"
                return
            waited = int(time.time()) - began
            yield f"data: {json.dumps({'waited': waited})}\n\n"
            if time.monotonic() >= end:
                return
            time.sleep(POLL_SECONDS)

    return StreamingHttpResponse(
        lines(),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-cache"},
    )


def found(document: Document | None) -> dict[str, object] | None:
    """Return what the page shows of a document; None for one that was deleted."""
    if document is None:
        return None
    return {
        "status": document.get_status_display(),
        "size": document.size,
        "checksum": document.checksum,
    }
