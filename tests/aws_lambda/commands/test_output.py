"""What a command writes, kept in bounds."""

import json
import logging

import pytest

from apps.aws_lambda.commands import output
from apps.aws_lambda.commands.output import Output


def test_lines_are_logged_when_they_are_complete(caplog):
    caplog.set_level(logging.INFO)
    written = Output(command="migrate", run="the-token")

    written.write("Applying one... ")
    assert caplog.records == []
    written.write("OK\nAnd")
    written.finish()

    first, second = caplog.records
    assert first.getMessage() == "Applying one... OK"
    assert (vars(first)["line"], vars(second)["line"]) == (1, 2)
    assert vars(first)["run"] == "the-token"
    assert written.result() == {
        "output": "Applying one... OK\nAnd",
        "lines": 2,
        "left_out": None,
    }


def test_nothing_written_is_no_line():
    written = Output()
    written.finish()

    assert written.result() == {"output": "", "lines": 0, "left_out": None}


def test_the_middle_of_very_much_is_left_out_and_that_is_said(monkeypatch):
    monkeypatch.setattr(output, "HALF", 100)
    written = Output()
    for number in range(1, 101):
        written.write(f"line {number}\n")

    result = written.result()

    lines = result["output"].split("\n")
    first, last = result["left_out"]
    assert result["lines"] == 100
    assert lines[: first - 1] == [f"line {n}" for n in range(1, first)]
    assert lines[first - 1] == f"[... lines {first} to {last} are in the log only ...]"
    assert lines[first:] == [f"line {n}" for n in range(last + 1, 101)]
    assert len(result["output"]) < 300


@pytest.mark.parametrize("text", ["x" * 10_000_000, ("\x00é" * 10 + "\n") * 100_000])
def test_the_result_fits_lambdas_limit_whatever_is_written(text: str):
    written = Output()
    written.write(text)
    written.finish()

    assert len(json.dumps(written.result())) < 6_000_000


def test_a_line_is_broken_before_it_is_too_long_for_the_log(caplog):
    caplog.set_level(logging.INFO)
    written = Output()
    written.write("x" * 250_000 + "\n")

    assert [len(record.getMessage()) for record in caplog.records] == [
        100_000,
        100_000,
        50_000,
    ]
