"""The lines of a remote command, out of a log that is late and out of order."""

import json
import time
from collections.abc import Iterable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from apps.aws_lambda.commands.remote import following
from apps.aws_lambda.commands.remote.following import Follower

TOKEN = "0123456789abcdef" * 2


class Logs:
    """Answer each look with the next of the pages; then with nothing."""

    def __init__(self, *looks: Any) -> None:
        self.looks = list(looks)
        self.asked: list[dict[str, Any]] = []
        self.exceptions = boto3.client(
            "logs",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        ).exceptions

    def get_paginator(self, name: str) -> "Logs":
        assert name == "filter_log_events"
        return self

    def paginate(self, **question: Any) -> Iterable[dict[str, Any]]:
        self.asked.append(question)
        look = self.looks.pop(0) if self.looks else []
        if isinstance(look, Exception):
            raise look
        return [{"events": look}]


def event(
    number: int, *, run: str = TOKEN, timestamp: int = 0, message: str = ""
) -> dict[str, Any]:
    entry = {"line": number, "message": message or f"line {number}", "run": run}
    return {"message": json.dumps(entry), "timestamp": timestamp or number}


def result(lines: int) -> dict[str, Any]:
    text = "\n".join(f"line {number}" for number in range(1, lines + 1))
    return {"output": text, "lines": lines, "left_out": None}


class Terminal:
    def __init__(self, logs: Logs) -> None:
        self.lines: list[str] = []
        self.complaints: list[str] = []
        self.follower = Follower(
            logs, "/aws/lambda/x", TOKEN, self.lines.append, self.complaints.append
        )

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 60
        while len(self.lines) < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "INTERVAL", 0.01)
    monkeypatch.setattr(following, "LAG", 0.3)


def expected(*numbers: int) -> list[str]:
    return [f"line {number}" for number in numbers]


def test_each_line_once_and_in_order_though_the_log_is_neither():
    logs = Logs([event(2), event(1)], [event(4)], [event(2), event(3), event(4)])
    terminal = Terminal(logs)
    terminal.wait_for(4)
    terminal.follower.finish(result(4))

    assert terminal.lines == expected(1, 2, 3, 4)


def test_what_the_log_does_not_have_yet_comes_with_the_result():
    terminal = Terminal(Logs([event(1), event(3)]))
    terminal.wait_for(1)
    terminal.follower.finish(result(5))

    assert terminal.lines == expected(1, 2, 3, 4, 5)


def test_lines_of_other_runs_and_lines_that_are_none_are_passed_over():
    strange = [
        {"message": "REPORT RequestId", "timestamp": 1},
        {"message": "[]", "timestamp": 1},
        {"message": json.dumps({"run": TOKEN}), "timestamp": 1},
        event(1, run="f" * 32, message="somebody else's"),
    ]
    terminal = Terminal(Logs(strange, [event(1)]))
    terminal.wait_for(1)
    terminal.follower.finish(result(1))

    assert terminal.lines == expected(1)


def test_it_looks_for_its_token_from_the_last_line_on():
    logs = Logs([event(1, timestamp=5000)])
    terminal = Terminal(logs)
    terminal.wait_for(1)
    while len(logs.asked) < 2:
        time.sleep(0.01)
    terminal.follower.finish(result(1))

    assert logs.asked[0]["filterPattern"] == f'"{TOKEN}"'
    assert logs.asked[1]["startTime"] == 5000


def test_a_log_that_may_not_be_read_is_complained_of_once():
    refused = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "FilterLogEvents"
    )
    logs = Logs(refused)
    terminal = Terminal(logs)
    terminal.follower._thread.join()
    terminal.follower.finish(result(2))

    assert terminal.lines == expected(1, 2)
    assert len(logs.asked) == 1
    [complaint] = terminal.complaints
    assert "(AccessDeniedException): the output comes at the end" in complaint
    assert "logs:FilterLogEvents on /aws/lambda/x" in complaint


def test_a_log_group_that_is_not_there_yet_is_waited_for():
    logs = Logs()
    absent = logs.exceptions.ResourceNotFoundException
    error = {"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}
    logs.looks = [absent(error, "FilterLogEvents"), [event(1)]]
    terminal = Terminal(logs)
    terminal.wait_for(1)
    terminal.follower.finish(result(1))

    assert terminal.complaints == []


CUT = {
    "output": "line 1\nline 2\n[... lines 3 to 8 are in the log only ...]\nline 9",
    "lines": 9,
    "left_out": [3, 8],
}


@pytest.mark.parametrize("seen", [0, 1, 2, 5])
def test_a_middle_that_never_comes_is_said_to_be_missing(seen: int):
    terminal = Terminal(Logs([event(number) for number in range(1, seen + 1)]))
    terminal.wait_for(seen)
    terminal.follower.finish(CUT)

    marker = "[... lines 3 to 8 are in the log only ...]"
    before = expected(*range(1, max(seen, 2) + 1))
    assert terminal.lines == [*before, marker, "line 9"]


@pytest.mark.parametrize("seen", [8, 9])
def test_a_middle_that_the_log_has_is_shown_without_a_gap(seen: int):
    terminal = Terminal(Logs([event(number) for number in range(1, seen + 1)]))
    terminal.follower.finish(CUT)

    assert terminal.lines == expected(*range(1, 10))


def test_after_the_stop_nothing_is_written():
    terminal = Terminal(Logs([event(1)], [event(2)]))
    terminal.follower.stop()
    seen = len(terminal.lines)
    time.sleep(0.1)

    assert len(terminal.lines) == seen
