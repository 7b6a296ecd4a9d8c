"""A response that the client receives while the application makes it."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..aws.limits import MAX_STREAM_BYTES
from ..deadline import DeadlineExceeded, cancel_coroutines, guard
from ..invocation import Invocation
from .response import Response

logger = logging.getLogger(__name__)

# A longer body is sent from where it is, and not joined with the prelude.
JOINED_BYTES = 16 * 1024

# The type and the sentence of an incomplete response, for the trailers: clients may
# see them.
TOO_LATE = "Deadline.Exceeded", "The request took too long and was stopped."
FAILED = "Application.Failed", "An internal error occurred. It has been logged."
WRONG_LENGTH = "Application.WrongLength", "The response has another length."
TOO_LONG = "Response.TooLong", "The response is longer than Lambda can send."


class Stream:
    """
    A result in parts, of which the runtime client sends each before it asks for more.

    Iterating it never raises. What the application raises is logged and ends the
    parts, as the deadline does, ``margin`` seconds before Lambda's timeout. Then
    ``fault`` is the type and the sentence of what has cut the response, else None.
    ``described`` is the request in the log, and ``after_failure`` is called when the
    application has failed or was interrupted.

    ``end`` closes the response, once. ``facts`` then have the bytes of the body that
    were sent, and under "cut" what has cut it: "client", "deadline", "error", "length"
    or "size".
    """

    def __init__(
        self,
        prelude: bytes,
        response: Response,
        invocation: Invocation,
        margin: float,
        *,
        described: str,
        after_failure: Callable[[], object],
        facts: dict[str, Any],
    ) -> None:
        self.prelude, self.response = prelude, response
        self.invocation, self.margin = invocation, margin
        self.described, self.after_failure, self.facts = described, after_failure, facts
        self.fault: tuple[str, str] | None = None
        self.unfinished = response.rest is not None
        self.ended = 0.0
        self._closed = False
        self._sent = 0
        length = response.headers.get("content-length", "")
        self._length = int(length) if length.isdecimal() else None

    def __iter__(self) -> Iterator[bytes]:
        chunk = self.response.body
        if self.unfinished:
            chunk = self._fitting(chunk)
        if len(chunk) <= JOINED_BYTES:
            yield self.prelude + chunk
        else:
            yield self.prelude
            yield chunk
        self._sent = len(chunk)
        while self.unfinished and (chunk := self._fitting(self._made())):
            yield chunk
            self._sent += len(chunk)

    def seconds_left(self) -> float | None:
        """Return the seconds until the deadline, or None if there is none."""
        remaining = self.invocation.remaining_ms
        return None if remaining is None else remaining / 1000 - self.margin

    def cut(self, reason: str) -> None:
        """Note that the response cannot be sent: its "client", or the "deadline"."""
        self.unfinished = False
        if self.fault:
            # Only the trailers are missing.
            return
        self.facts["cut"] = reason
        if reason == "deadline":
            self._log("Deadline exceeded in %s: the client had read %s bytes")

    def end(self) -> None:
        """Close the response, and complete the facts."""
        self.ended = time.perf_counter()
        self.facts["response_bytes"] = self._sent
        self.close()

    def close(self) -> None:
        """Close the response, unless that was done."""
        rest = self.response.rest
        if rest and not self._closed:
            self._closed = True
            rest.close()

    def _made(self) -> bytes:
        """Return the next chunk of the application; b"" at the end."""
        rest = self.response.rest
        if rest is None:
            return b""
        left = self.seconds_left()
        if left is not None and left <= 0:
            # It is not interrupted in its code, but between two chunks.
            return self._fail(TOO_LATE, "deadline", None)
        deadline = guard(self.invocation.remaining_ms, self.margin)
        try:
            with deadline:
                try:
                    chunk = next(rest.chunks, b"")
                except BaseException:
                    self.close()
                    raise
        except BaseException as error:
            late = deadline.exceeded or isinstance(error, DeadlineExceeded)
            return self._interrupted(error, late=late)
        if deadline.exceeded:
            # The application has caught the interrupt.
            return self._interrupted(None, late=True)
        return chunk

    def _fitting(self, chunk: bytes) -> bytes:
        """Return as much of the chunk as the length and Lambda's limit allow."""
        if self.fault:
            return b""
        made = self._sent + len(chunk)
        length = self._length
        if length is not None and (made > length if chunk else made < length):
            self._fail(WRONG_LENGTH, "length", None)
            return chunk[: max(length - self._sent, 0)]
        if made > MAX_STREAM_BYTES:
            return self._fail(TOO_LONG, "size", None)
        if not chunk:
            self.unfinished = False
        return chunk

    def _interrupted(self, error: BaseException | None, *, late: bool) -> bytes:
        if late:
            cancel_coroutines()
        self.after_failure()
        if late:
            return self._fail(TOO_LATE, "deadline", error)
        return self._fail(FAILED, "error", error)

    def _fail(
        self, fault: tuple[str, str], reason: str, error: BaseException | None
    ) -> bytes:
        self.fault, self.unfinished = fault, False
        self.facts["cut"] = reason
        if reason == "length":
            length = f"{self._length:,}"
            self._log(f"The Content-Length in %s is {length}, but %s bytes were sent")
        elif reason == "size":
            limit = f"{MAX_STREAM_BYTES:,}"
            self._log(f"The response to %s was cut after %s of at most {limit} bytes")
        elif reason == "deadline":
            self._log("Deadline exceeded in %s after %s bytes of the response", error)
        else:
            sent = "The application failed on %s after %s bytes of the response"
            self._log(sent, error)
        return b""

    def _log(self, sentence: str, error: BaseException | None = None) -> None:
        late = self.facts["cut"] == "deadline"
        logger.error(
            sentence,
            self.described,
            f"{self._sent:,}",
            exc_info=error,
            extra={"metrics": {"DeadlineHits": 1}} if late else None,
        )
