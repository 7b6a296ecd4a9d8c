"""A stream by itself: what ends it, and what is called then."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.http import stream
from apps.aws_lambda.http.response import Response, Rest
from apps.aws_lambda.http.stream import Stream
from apps.aws_lambda.invocation import Invocation
from apps.aws_lambda.test import LambdaContext

MARGIN = 0.5


class Called:
    """Count calls."""

    times = 0

    def __call__(self) -> None:
        self.times += 1


class Made:
    """A stream of chunks, and what it has called."""

    def __init__(self, chunks: Iterator[bytes], seconds: float = 60) -> None:
        self.closed, self.failed, self.facts = Called(), Called(), dict[str, Any]()
        response = Response(200, {}, [], b"first", Rest(chunks, self.closed))
        self.stream = Stream(
            b"{}",
            response,
            Invocation({}, LambdaContext(timeout=seconds), 1, []),
            MARGIN,
            described="GET '/'",
            after_failure=self.failed,
            facts=self.facts,
        )
        self.parts = list(self.stream)
        self.stream.end()


def test_a_complete_stream_has_no_fault():
    made = Made(iter([b"second"]))

    assert made.parts == [b"{}first", b"second"]
    assert made.stream.fault is None
    assert made.facts == {"response_bytes": 11}
    assert (made.closed.times, made.failed.times) == (1, 0)


def test_no_chunk_is_made_after_the_deadline():
    made = Made(iter([b"second"]), seconds=MARGIN)

    assert made.parts == [b"{}first"]
    assert made.stream.fault == stream.TOO_LATE
    # Its code was not interrupted.
    assert (made.closed.times, made.failed.times) == (1, 0)


def test_a_chunk_that_hides_the_deadline_is_not_sent(monkeypatch: pytest.MonkeyPatch):
    cancelled = Called()
    monkeypatch.setattr(stream, "cancel_coroutines", cancelled)

    def chunks() -> Iterator[bytes]:
        try:
            while True:
                pass
        except KeyboardInterrupt:
            yield b"hidden"

    made = Made(chunks(), seconds=MARGIN + 0.05)

    assert made.parts == [b"{}first"]
    assert made.facts["cut"] == "deadline"
    assert (cancelled.times, made.failed.times, made.closed.times) == (1, 1, 1)


def test_an_exception_of_any_kind_cuts_the_stream():
    def chunks() -> Iterator[bytes]:
        yield b"second"
        raise SystemExit(3)

    made = Made(chunks())
    assert made.parts == [b"{}first", b"second"]
    assert made.facts == {"cut": "error", "response_bytes": 11}
    assert made.stream.fault == stream.FAILED
    assert (made.closed.times, made.failed.times) == (1, 1)


def test_a_stream_ends_at_the_limit_of_lambda(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(stream, "MAX_STREAM_BYTES", 10)

    made = Made(iter([b"12345", b"6"]))

    assert made.parts == [b"{}first", b"12345"]
    assert made.facts == {"cut": "size", "response_bytes": 10}
    assert made.stream.fault == stream.TOO_LONG
    assert "was cut after 10 of at most 10 bytes" in caplog.text
