"""A stream whose process is frozen, whose client is gone, or whose clock jumps."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import FunctionError
from tests.aws_lambda.runtime.test_streaming import (
    access,
    closings,
    lines,
    started,
    stream,
    wait_for,
)

CHUNK_BYTES = 256 * 1024
# The deadline is five seconds before.
TIMEOUT = 5.3


@pytest.fixture(scope="module")
def environment() -> Iterator[Any]:
    with started(handler="streams.early") as running:
        yield running


@pytest.fixture
def offset(environment: Any) -> int:
    """Return where the log of a test begins."""
    wait_for(lambda: environment.api.idle)
    return len(environment.log.encode())


def freeze_until(environment: Any, moment: float) -> None:
    environment.freeze()
    while time.time() < moment:
        time.sleep(0.01)
    environment.thaw()


def test_a_stream_continues_after_a_freeze(environment: Any, offset: int):
    result = stream(environment, "large")
    chunks = iter(result)
    sent = len(next(chunks))
    for _ in range(3):
        # It waits for its reader: the other chunks are larger than all buffers.
        environment.freeze()
        environment.thaw()
        sent += len(next(chunks))

    assert sent + sum(map(len, chunks)) == 40 * CHUNK_BYTES
    line = access(environment, offset)
    assert line["response_bytes"] == 40 * CHUNK_BYTES
    assert "cut" not in line


@pytest.mark.parametrize("query", ["hangs", "hurries", "floods"])
def test_the_deadline_cuts_a_stream_that_was_frozen_in_it(
    environment: Any, offset: int, query: str
):
    """While a chunk is made, between chunks, and while one is sent."""
    deadline = time.time() + TIMEOUT - 5
    result = stream(environment, query, seconds=TIMEOUT)

    freeze_until(environment, deadline + 0.1)

    with pytest.raises(FunctionError):
        list(result)
    line = lines(environment, offset)[-1]
    assert (line["cut"], line["Errors"]) == ("deadline", 1)
    assert closings(environment, offset) == 1
    assert list(stream(environment, "")) == [b"hello"]


@pytest.mark.parametrize("query", ["hurries", "floods"])
def test_a_client_that_goes_away_in_a_freeze_is_not_an_error(
    environment: Any, offset: int, query: str
):
    result = stream(environment, query)
    next(iter(result))

    environment.freeze()
    result.close()
    environment.thaw()

    [line] = lines(environment, offset)
    assert (line["cut"], line["level"]) == ("client", "INFO")
    assert closings(environment, offset) == 1
    assert list(stream(environment, "")) == [b"hello"]


def test_a_stream_ends_when_the_clock_jumps_over_the_deadline(environment: Any):
    received: list[bytes] = []
    with pytest.raises(FunctionError) as caught:
        received.extend(stream(environment, "jumps_forward"))

    assert caught.value.type == "Deadline.Exceeded"
    assert list(stream(environment, "")) == [b"hello"]


def test_a_stream_continues_when_the_clock_jumps_back(environment: Any, offset: int):
    chunks = list(stream(environment, "jumps_back"))

    assert chunks == [b"before", b"after"]
    line = access(environment, offset)
    assert 0 <= line["first_byte_ms"] <= line["duration_ms"]
