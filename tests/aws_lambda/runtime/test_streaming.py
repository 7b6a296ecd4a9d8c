"""Streamed responses, from the application to Lambda, in a process of their own."""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import (
    ExecutionEnvironment,
    FunctionError,
    StreamedResult,
)
from tests.aws_lambda.runtime.stand_in import FUNCTIONS, ROOT, WRAPPER
from tests.events import load_event

MEBIBYTE = 1024 * 1024
SECONDS = 20


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    file = tmp_path_factory.mktemp("file") / "file"
    file.write_bytes(os.urandom(7 * MEBIBYTE))
    with started({"FILE": str(file)}) as running:
        yield running


def started(
    variables: dict[str, str] | None = None,
    handler: str = "streams.handle",
    **options: Any,
) -> ExecutionEnvironment:
    return ExecutionEnvironment(
        {
            "AWS_LAMBDA_EXEC_WRAPPER": str(WRAPPER),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(FUNCTIONS)]),
            **(variables or {}),
        },
        handler=handler,
        **options,
    )


def url(query: str, method: str = "GET") -> Any:
    event = load_event("function_url", rawQueryString=query)
    event["headers"]["accept"] = "application/json"
    event["requestContext"]["http"]["method"] = method
    return event


def rest(query: str) -> Any:
    name, _, value = query.partition("=")
    return load_event("rest_stage", multiValueQueryStringParameters={name: [value]})


def stream(environment: Any, query: str, **options: Any) -> StreamedResult:
    result = environment.invoke(url(query), **options)
    assert isinstance(result, StreamedResult)
    return result


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, "It did not happen"
        time.sleep(0.01)


def lines(environment: Any, offset: int) -> list[Any]:
    """Return the log lines in JSON since then, at the end of the invocation."""
    wait_for(lambda: environment.api.idle)
    text = environment.log_from(offset).decode()
    return [json.loads(x) for x in text.splitlines() if x.startswith("{")]


def access(environment: Any, offset: int) -> Any:
    [line] = [x for x in lines(environment, offset) if x["logger"].endswith("access")]
    return line


@pytest.fixture
def offset(environment: Any) -> int:
    """Return where the log of a test begins."""
    wait_for(lambda: environment.api.idle)
    return len(environment.log.encode())


def closings(environment: Any, offset: int) -> int:
    found: int = environment.log_from(offset).count(b"closed\n")
    return found


# What is streamed


@pytest.mark.parametrize("event", [url, rest])
def test_a_chunk_is_sent_before_the_next_one_is_made(
    environment: Any, offset: int, event: Any
):
    result = environment.invoke(event("ticks"))
    chunks = iter(result)

    assert result.prelude["statusCode"] == 200
    assert [next(chunks), *chunks] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
    line = access(environment, offset)
    assert line["response_bytes"] == 27
    assert line["first_byte_ms"] <= line["duration_ms"]
    assert line["TimeToFirstByte"] == line["first_byte_ms"]
    assert "Duration" not in line
    assert "cut" not in line
    assert closings(environment, offset) == 1


def test_the_application_makes_no_more_than_is_read(environment: Any, offset: int):
    result = stream(environment, "large")
    chunks = iter(result)
    next(chunks)

    # 10 MB are larger than all buffers of sockets in between.
    time.sleep(0.3)
    assert b"peak" not in environment.log_from(offset)
    assert sum(map(len, chunks)) == 39 * 256 * 1024
    wait_for(lambda: b"peak" in environment.log_from(offset))


def test_a_response_of_more_than_six_megabytes_is_whole(environment: Any):
    file = Path(environment.variables["FILE"]).read_bytes()

    assert b"".join(stream(environment, f"file={len(file)}")) == file


@pytest.mark.parametrize("name", ["http_default", "alb_multi", "http_v1_default"])
def test_event_sources_that_do_not_stream_get_a_whole_result(
    environment: Any, name: str
):
    result = environment.invoke(load_event(name, rawQueryString="ticks"))

    assert result["statusCode"] == 200
    assert isinstance(result["body"], str)


def test_a_response_that_is_not_a_stream_has_a_prelude_too(
    environment: Any, offset: int
):
    result = stream(environment, "")

    assert result.prelude["headers"] == {"content-type": "text/event-stream"}
    assert list(result) == [b"hello"]
    line = access(environment, offset)
    assert line["response_bytes"] == 5
    assert "first_byte_ms" not in line


@pytest.mark.parametrize(
    "event", [url("ticks", "HEAD"), url("unmodified")], ids=["HEAD", "304"]
)
def test_a_response_without_a_body_is_closed_and_not_made(
    environment: Any, offset: int, event: Any
):
    result = environment.invoke(event)

    assert list(result) == []
    assert access(environment, offset)["response_bytes"] == 0
    assert closings(environment, offset) == 1
    assert b"made 1" not in environment.log_from(offset)


def test_the_first_request_after_a_snapshot_is_streamed():
    with started(snap_start=True) as environment:
        environment.restore()
        chunks = [list(stream(environment, "ticks")) for _ in range(2)]

    assert chunks == [[b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]] * 2


def test_a_client_of_aws_gets_a_whole_result_and_a_warning():
    with started(handler="streams.bare") as environment:
        result = environment.invoke(url("ticks"))
        environment.invoke(url("ticks"))

        assert result["body"] == "data: 0\n\ndata: 1\n\ndata: 2\n\n"
        assert environment.log.count("LAMBDA_STREAMING is on, but") == 1


# What cuts it


def test_an_error_before_the_first_byte_is_a_normal_answer(
    environment: Any, offset: int
):
    result = stream(environment, "fails_at_once")

    assert result.prelude["statusCode"] == 500
    sent = list(result)
    assert json.loads(b"".join(sent))["error"] == "internal_error"
    line = access(environment, offset)
    assert (line["status"], line["response_bytes"]) == (500, sum(map(len, sent)))
    assert closings(environment, offset) == 1


def test_an_error_in_mid_stream_is_logged_and_its_text_is_not_sent(
    environment: Any, offset: int
):
    result = stream(environment, "fails")
    with pytest.raises(FunctionError) as caught:
        list(result)

    assert caught.value.type == "Application.Failed"
    assert "secret" not in caught.value.message
    error, line = lines(environment, offset)
    assert error["message"] == (
        "The application failed on GET '/documents/café/' after 5 bytes of the response"
    )
    assert error["request_id"] == line["request_id"]
    assert "a secret of the application" in json.dumps(error)
    assert (line["cut"], line["response_bytes"]) == ("error", 5)
    assert line["Errors"] == 1
    assert closings(environment, offset) == 1


@pytest.mark.parametrize("query", ["hangs", "hides", "hurries"])
def test_the_deadline_cuts_a_stream(environment: Any, offset: int, query: str):
    result = stream(environment, query, seconds=1.2)
    with pytest.raises(FunctionError) as caught:
        list(result)

    assert caught.value.type == "Deadline.Exceeded"
    error, line = lines(environment, offset)
    assert error["message"].startswith("Deadline exceeded in GET")
    assert (line["cut"], line["Errors"]) == ("deadline", 1)
    assert closings(environment, offset) == 1
    assert list(stream(environment, "")) == [b"hello"]


def test_the_deadline_cuts_a_stream_that_the_client_does_not_read(
    environment: Any, offset: int
):
    stream(environment, "floods", seconds=1.2)

    error, line = lines(environment, offset)
    assert "the client had read" in error["message"]
    assert line["cut"] == "deadline"
    assert closings(environment, offset) == 1


def test_a_client_that_goes_away_is_not_an_error(environment: Any, offset: int):
    result = stream(environment, "floods")
    next(iter(result))
    result.close()

    [line] = lines(environment, offset)
    assert (line["cut"], line["level"]) == ("client", "INFO")
    assert line["Errors"] == 0
    assert closings(environment, offset) == 1
    assert list(stream(environment, "")) == [b"hello"]


@pytest.mark.parametrize(("length", "sent"), [(12, 12), (90, 27)])
def test_a_wrong_content_length_cuts_a_stream(
    environment: Any, offset: int, length: int, sent: int
):
    result = stream(environment, f"ticks={length}")
    received: list[bytes] = []
    with pytest.raises(FunctionError, match="has another length"):
        received.extend(result)

    assert access(environment, offset)["cut"] == "length"
    assert access(environment, offset)["response_bytes"] == sent
    assert closings(environment, offset) == 1


def test_a_response_that_is_too_long_is_refused_before_its_first_byte(
    environment: Any, offset: int
):
    result = stream(environment, f"ticks={201 * MEBIBYTE}")

    assert result.prelude["statusCode"] == 500
    assert json.loads(b"".join(result))["error"] == "response_too_large"
    assert access(environment, offset)["status"] == 500
    assert closings(environment, offset) == 1


def test_a_process_that_ends_in_mid_stream_leaves_an_incomplete_response():
    with started() as environment:
        received: list[bytes] = []
        with pytest.raises(FunctionError) as caught:
            received.extend(stream(environment, "dies"))
        wait_for(lambda: not environment.alive)

    assert caught.value.type == "Sandbox.Disconnected"


# Memory


def test_a_stream_takes_no_memory_of_its_size():
    peaks = []
    for chunks in ("4", "256"):
        with started({"CHUNKS": chunks}) as environment:
            assert sum(map(len, stream(environment, "large"))) == (
                int(chunks) * 256 * 1024
            )
            wait_for(lambda: environment.api.idle)
            _, _, printed = environment.log.partition("peak ")
            peaks.append(int(printed.split()[0]))
    assert peaks[1] - peaks[0] < 2048
