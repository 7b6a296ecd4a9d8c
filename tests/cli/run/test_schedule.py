"""`django-on-lambda schedule`: run what EventBridge Scheduler would run."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from apps.aws_lambda.cli.ports import free_port
from apps.aws_lambda.cli.run import schedule

SCHEDULES = [
    {
        "id": "ScheduleClearSessions",
        "expression": "cron(20 3 * * ? *)",
        "input": '{"command": "clearsessions", "args": []}',
        "function": "site-dev-schedule",
    },
    {
        "id": "Report",
        "expression": "rate(1 day)",
        "input": '{"command": "report", "args": ["--to", "the team"]}',
        "function": "site-dev-schedule",
    },
    {"id": "Other", "expression": "rate(1 hour)", "input": "", "function": None},
]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "stage.json").write_text(json.dumps({"schedules": SCHEDULES}))
    return tmp_path


class Functions(ThreadingHTTPServer):
    def __init__(self, answer: Any) -> None:
        super().__init__(("127.0.0.1", 0), Invocation)
        self.answer = answer
        self.calls: list[tuple[str, Any]] = []
        Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Invocation(BaseHTTPRequestHandler):
    server: Functions

    def do_POST(self) -> None:
        event = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.calls.append((self.path.split("/")[3], json.loads(event)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.server.answer)

    def log_message(self, *arguments: object) -> None:
        pass


def call(state: Path, *arguments: str, answer: bytes = b"") -> tuple[int, Any]:
    """Run the command, and return its status and what the functions received."""
    with Functions(answer) as functions:
        port = str(functions.server_port)
        status = schedule.main(
            ["--state", str(state), "--lambda-port", port, *arguments]
        )
        functions.shutdown()
    return status, functions.calls


def test_a_schedule_is_run_with_its_own_input(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(state, "report") == (
        0,
        [("site-dev-schedule", {"command": "report", "args": ["--to", "the team"]})],
    )
    assert capsys.readouterr().out == (
        "site-dev-schedule runs report --to 'the team'\n"
        "It succeeded. The output of the command is in the log of `make run`.\n"
    )


@pytest.mark.parametrize("name", ["clearsessions", "ScheduleClearSessions"])
def test_a_schedule_is_found_by_its_command_and_by_its_id(
    state: Path, name: str
) -> None:
    _, [(_, event)] = call(state, name)

    assert event == {"command": "clearsessions", "args": []}


def test_a_failed_command_is_reported(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = b'{"errorType": "ScheduleFailed", "errorMessage": "report failed"}'

    status, _ = call(state, "report", answer=failure)

    assert status == 1
    assert capsys.readouterr().err.startswith("ScheduleFailed: report failed\n")


def test_without_a_name_the_schedules_are_listed(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(state) == (0, [])
    assert capsys.readouterr().out == (
        "clearsessions           cron(20 3 * * ? *)\n"
        "report --to 'the team'  rate(1 day)\n"
        "Other                   rate(1 hour)\n"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "serverless.yml has no schedule for nothing. It has: clearsess"),
        ("Other", "The schedule Other has a target that is not a function of serverl"),
    ],
)
def test_what_cannot_be_run_is_reported(
    state: Path, capsys: pytest.CaptureFixture[str], name: str, message: str
) -> None:
    assert call(state, name) == (1, [])
    assert capsys.readouterr().err.startswith(message)


def test_a_site_that_is_not_served_is_reported(
    tmp_path: Path, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    options = ["--state", str(state), "--lambda-port", str(port)]

    assert schedule.main([*options, "report"]) == 1
    assert (
        f"Nothing answers on port {port}: start `make run`" in capsys.readouterr().err
    )

    assert schedule.main(["--state", str(tmp_path / "none"), "report"]) == 1
    assert "none/stage.json does not exist" in capsys.readouterr().err
