"""The output of a command: in the log line by line, and in the result."""

import json
import logging

import pytest

from apps.aws_lambda.aws.limits import MAX_PAYLOAD_BYTES
from apps.aws_lambda.commands import output
from apps.aws_lambda.commands.output import Output


def test_a_line_is_logged_when_it_is_complete(caplog):
    caplog.set_level(logging.INFO)
    written = Output(command="migrate", run="the-token")

    written.write("Applying one... ")
    assert caplog.records == []
    written.write("OK\nAnd")
    assert len(caplog.records) == 1
    written.finish()

    first, second = caplog.records
    assert first.getMessage() == "Applying one... OK"
    assert second.getMessage() == "And"
    assert (vars(first)["line"], vars(second)["line"]) == (1, 2)
    assert vars(first)["command"] == "migrate"
    assert vars(first)["run"] == "the-token"
    assert written.result() == {"output": "Applying one... OK\nAnd", "lines": 2}


def test_without_output_there_are_no_lines():
    written = Output()
    written.finish()

    assert written.result() == {"output": "", "lines": 0}


def test_an_output_that_fits_is_returned_whole(monkeypatch):
    monkeypatch.setattr(output, "MAX_OUTPUT_BYTES", 20)
    written = Output()
    # Each takes ten bytes of JSON.
    written.write("line 001\nline 002\n")

    assert written.result() == {"output": "line 001\nline 002", "lines": 2}


def test_the_last_lines_of_an_output_that_does_not_fit_are_returned(
    monkeypatch, caplog
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(output, "MAX_OUTPUT_BYTES", 105)
    written = Output()
    for number in range(1, 101):
        written.write(f"line {number:03}\n")

    result = written.result()

    assert result["lines"] == 100
    assert result["output"].split("\n") == [f"line {n:03}" for n in range(91, 101)]
    assert len(caplog.records) == 100


@pytest.mark.parametrize("text", ["x" * 10_000_000, ("\x00é" * 1000 + "\n") * 1000])
def test_the_result_of_a_huge_output_fits_into_lambdas_response(text: str):
    written = Output()
    written.write(text)
    written.finish()

    response = {"exit_code": 0, "request_id": "x" * 36, **written.result()}
    size = len(json.dumps(response))
    assert size < MAX_PAYLOAD_BYTES
    # One more line would not fit.
    assert size > MAX_PAYLOAD_BYTES - 10_000 - 100_000


def test_empty_lines_take_room_in_the_result(monkeypatch):
    monkeypatch.setattr(output, "MAX_OUTPUT_BYTES", 20)
    written = Output()
    written.write("\n" * 100)

    assert written.result() == {"output": "\n" * 9, "lines": 100}


def test_a_line_that_is_too_long_for_the_log_is_split(caplog):
    caplog.set_level(logging.INFO)
    written = Output()
    written.write("x" * 250_000 + "\n")

    assert [len(record.getMessage()) for record in caplog.records] == [
        100_000,
        100_000,
        50_000,
    ]


def test_a_long_line_in_pieces_is_split_at_the_same_places(caplog):
    caplog.set_level(logging.INFO)
    written = Output()
    for _ in range(250):
        written.write("x" * 1000)
    written.write("\n")

    assert [len(record.getMessage()) for record in caplog.records] == [
        100_000,
        100_000,
        50_000,
    ]
