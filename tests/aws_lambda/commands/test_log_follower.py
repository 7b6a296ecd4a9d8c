"""The output of a remote command, from a log that is late and out of order."""

import json
import time
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from apps.aws_lambda.commands.remote import client
from apps.aws_lambda.commands.remote.log import LogFollower, RemoteResult

TOKEN = "0123456789abcdef" * 2
READ_ALL = "aws logs tail /aws/lambda/x --since 1h"


class Logs:
    """CloudWatch Logs: each call returns the next of the answers, and then nothing."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[dict[str, Any]] = []

    def get_paginator(self, name: str) -> "Logs":
        assert name == "filter_log_events"
        return self

    def paginate(self, **parameters: Any) -> Iterable[dict[str, Any]]:
        self.calls.append(parameters)
        answer = self.answers.pop(0) if self.answers else []
        if isinstance(answer, Exception):
            raise answer
        return [{"events": answer}]


def event(
    number: int, *, run: str = TOKEN, timestamp: int = 0, message: str = ""
) -> dict[str, Any]:
    entry = {"line": number, "message": message or f"line {number}", "run": run}
    return {"message": json.dumps(entry), "timestamp": timestamp or number}


def lines(first: int, last: int) -> list[str]:
    return [f"line {number}" for number in range(first, last + 1)]


def result(last: int, *, first: int = 1) -> RemoteResult:
    """Return a result that has the lines from the first one on."""
    return RemoteResult(0, "\n".join(lines(first, last)), last)


class Terminal:
    def __init__(self, *answers: Any) -> None:
        self.logs = Logs(*answers)
        self.lines: list[str] = []
        self.messages: list[str] = []
        self.follower = LogFollower(
            self.logs,
            "/aws/lambda/x",
            TOKEN,
            READ_ALL,
            self.lines.append,
            self.messages.append,
        )

    def poll(self, times: int = 1) -> None:
        for _ in range(times):
            self.follower.show_new_lines()


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "FilterLogEvents")


def test_lines_are_written_as_soon_as_the_log_has_them():
    terminal = Terminal([event(1)], [event(2)])

    terminal.poll()
    assert terminal.lines == lines(1, 1)
    terminal.poll()
    assert terminal.lines == lines(1, 2)


def test_a_line_that_arrives_early_waits_for_its_predecessor():
    terminal = Terminal([event(2), event(1)], [event(4)], [event(3)])

    terminal.poll(2)
    assert terminal.lines == lines(1, 2)
    terminal.poll()
    assert terminal.lines == lines(1, 4)


def test_a_line_that_is_read_twice_is_written_once():
    terminal = Terminal([event(1), event(2)], [event(2), event(3)], [event(3)])

    terminal.poll(3)
    terminal.follower.show_rest(result(3))

    assert terminal.lines == lines(1, 3)


@pytest.mark.parametrize("read", [0, 1, 4, 5])
def test_late_lines_come_with_the_result(read: int):
    terminal = Terminal([event(number) for number in range(1, read + 1)])

    terminal.poll()
    terminal.follower.show_rest(result(5))

    assert terminal.lines == lines(1, 5)
    assert terminal.messages == []


def test_a_line_that_arrived_early_is_not_written_before_the_result():
    terminal = Terminal([event(1), event(3)])

    terminal.poll()
    terminal.follower.show_rest(result(5))

    assert terminal.lines == lines(1, 5)


def test_a_command_without_output_writes_no_line():
    terminal = Terminal()

    terminal.follower.show_rest(RemoteResult(0, "", 0))

    assert terminal.lines == []


def test_an_empty_line_is_a_line():
    terminal = Terminal()

    terminal.follower.show_rest(RemoteResult(0, "", 1))

    assert terminal.lines == [""]


def test_other_log_events_are_ignored():
    others = [
        {"message": "REPORT RequestId", "timestamp": 1},
        {"message": "[]", "timestamp": 1},
        {"message": json.dumps({"run": TOKEN}), "timestamp": 1},
        event(1, run="f" * 32, message="another run"),
    ]
    terminal = Terminal(others, [event(1)])

    terminal.poll(2)

    assert terminal.lines == lines(1, 1)


def test_the_log_is_filtered_by_the_token_and_read_from_the_last_line_on():
    terminal = Terminal([event(1, timestamp=5000)])

    terminal.poll(2)

    assert terminal.logs.calls[0]["logGroupName"] == "/aws/lambda/x"
    assert terminal.logs.calls[0]["filterPattern"] == f'"{TOKEN}"'
    assert terminal.logs.calls[1]["startTime"] == 5000


@pytest.mark.parametrize(
    ("error", "name", "words"),
    [
        (
            client_error("AccessDeniedException"),
            "AccessDeniedException",
            "Your role needs logs:FilterLogEvents",
        ),
        (
            EndpointConnectionError(endpoint_url="https://logs/a"),
            "EndpointConnectionError",
            "No connection to logs: ",
        ),
    ],
)
def test_a_log_that_cannot_be_read_is_reported_once(
    error: Exception, name: str, words: str
):
    terminal = Terminal(error)

    terminal.poll(3)
    terminal.follower.show_rest(result(2))

    assert terminal.lines == lines(1, 2)
    assert len(terminal.logs.calls) == 1
    [message] = terminal.messages
    assert f"Cannot read the log group /aws/lambda/x ({name})" in message
    assert "the output is shown when the command ends" in message
    assert words in message


def test_a_log_group_that_does_not_exist_yet_is_polled_again():
    terminal = Terminal(client_error("ResourceNotFoundException"), [event(1)])

    terminal.poll(2)

    assert terminal.lines == lines(1, 1)
    assert terminal.messages == []


def test_a_log_is_read_again_after_a_failure_of_aws():
    answer = {
        "Error": {"Code": "503", "Message": "Service Unavailable"},
        "ResponseMetadata": {"HTTPStatusCode": 503},
    }
    terminal = Terminal(ClientError(answer, "FilterLogEvents"), [event(1)])

    terminal.poll(2)

    assert terminal.lines == lines(1, 1)
    assert terminal.messages == []


@pytest.mark.parametrize("read", [0, 1, 4])
def test_lines_that_neither_the_log_nor_the_result_has_are_reported(read: int):
    terminal = Terminal([event(number) for number in range(1, read + 1)])

    terminal.poll()
    terminal.follower.show_rest(result(9, first=6))

    assert terminal.lines == [*lines(1, read), *lines(6, 9)]
    [message] = terminal.messages
    assert message.startswith(f"Lines {read + 1} to 5 of 9 ")
    assert "the log group /aws/lambda/x" in message
    assert message.endswith(READ_ALL)


@pytest.mark.parametrize("read", [5, 6, 9])
def test_a_huge_output_that_the_log_delivered_in_time_is_complete(read: int):
    terminal = Terminal([event(number) for number in range(1, read + 1)])

    terminal.poll()
    terminal.follower.show_rest(result(9, first=6))

    assert terminal.lines == lines(1, 9)
    assert terminal.messages == []


def ended(exit_code: int, lines: int) -> dict[str, Any]:
    """Return the last line of a run."""
    entry = {"run": TOKEN, "message": "ended", "exit_code": exit_code, "lines": lines}
    return {"message": json.dumps(entry), "timestamp": 9}


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "POLL_SECONDS", 0)


@pytest.mark.usefixtures("_at_once")
def test_the_end_of_a_command_is_read_after_its_late_lines():
    terminal = Terminal([event(1)], [], [ended(3, lines=2)], [], [event(2)], ["never"])

    result = client.read_end(terminal.follower, time.monotonic() + 60)

    assert result == RemoteResult(3, None, 2)
    assert terminal.lines == lines(1, 2)
    assert len(terminal.logs.calls) == 5


@pytest.mark.usefixtures("_at_once")
def test_lines_that_never_arrive_are_reported(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(client, "LATE_SECONDS", 0)
    terminal = Terminal([event(1), ended(0, lines=3)])

    result = client.read_end(terminal.follower, time.monotonic() + 60)
    assert result
    terminal.follower.show_rest(result)

    assert terminal.lines == lines(1, 1)
    [message] = terminal.messages
    assert message.startswith("Lines 2 to 3 of 3 are not in Lambda's response, but ")


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("answers", [[client_error("AccessDenied")], [[event(1)]]])
def test_without_an_end_there_is_no_result(answers: list[Any]):
    terminal = Terminal(*answers)

    assert client.read_end(terminal.follower, time.monotonic() + 0.2) is None
