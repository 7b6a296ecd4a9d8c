"""The log in the terminal of `make run`: records as lines of text."""

import io
import logging
import os
import pty
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli.run import command
from apps.aws_lambda.cli.run.log import LogPrinter
from apps.aws_lambda.cli.run.offline import OfflineError
from apps.aws_lambda.invocation import request_id
from apps.aws_lambda.observability.formatters import JSONFormatter
from apps.aws_lambda.test import LambdaClient


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def in_a_function(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "shop-dev-http")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    token = request_id.set("id-1")
    yield
    request_id.reset(token)
    monkeypatch.undo()
    time.tzset()


def record(message: str, level: int = logging.INFO, **extra: Any) -> str:
    """Return the line that a function writes."""
    exc_info = extra.pop("exc_info", None)
    made = logging.getLogger("shop").makeRecord(
        "shop", level, __file__, 1, message, (), exc_info, extra=extra
    )
    # 2026-01-02 12:04:05.678 UTC
    made.created = 1767323045.678
    return f"{JSONFormatter().format(made)}\n"


def printed(*parts: str, utc: bool = False, stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    printer = LogPrinter(stream, stage="dev", utc=utc)
    for part in parts:
        printer.write(part)
    printer.close()
    return stream.getvalue()


def test_a_record_has_time_level_function_logger_message_and_request_id():
    assert printed(record("Sold out")) == (
        "12:04:05.678 INFO  http shop Sold out id-1\n"
    )


def test_the_time_of_a_stage_is_that_of_cloudwatch():
    assert printed(record("Sold out"), utc=True).startswith("2026-01-02 03:04:05Z INFO")


def test_what_a_log_call_adds_is_printed_and_its_metrics_are_not():
    line = record("Sold", rows=3, where={"shop": "x y"}, metrics={"Sales": 3})

    assert printed(line) == (
        '12:04:05.678 INFO  http shop Sold rows=3 where={"shop": "x y"} id-1\n'
    )


def test_the_access_line_of_a_request_names_nothing_twice():
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(JSONFormatter())
    access = logging.getLogger("apps.aws_lambda.access")
    access.addHandler(handler)
    try:
        LambdaClient().get("/health/live")
    finally:
        access.removeHandler(handler)

    line = printed(written.getvalue())

    words = line.split()
    at = words.index("apps.aws_lambda.access")
    assert words[at + 1 : at + 4] == ["GET", "/health/live", "200"]
    names = [word.partition("=")[0] for word in words if "=" in word]
    assert names == ["queries", "queries_ms", "response_bytes", "duration_ms"]


def test_a_traceback_is_printed_in_full_below_its_record():
    try:
        raise ValueError("two\nlines")
    except ValueError:
        line = record("Failed", logging.ERROR, exc_info=sys.exc_info())

    first, second, *_, before, last = printed(line).splitlines()

    assert first.endswith("ERROR http shop Failed id-1")
    assert second == "    Traceback (most recent call last):"
    assert (before, last) == ("    ValueError: two", "    lines")


def test_the_lines_of_a_message_stay_together():
    assert printed(record("SELECT 1\nINFO fake"), record("Next")).splitlines()[:2] == [
        "12:04:05.678 INFO  http shop SELECT 1 id-1",
        "    INFO fake",
    ]


def test_a_client_cannot_write_control_sequences_to_the_terminal():
    line = record("Not Found: /\x1b[2J", agent="\x1b]0;x\x07")

    assert "\x1b" not in printed(line)
    assert r"Not Found: /\x1b[2J agent=\x1b]0;x\x07 id-1" in printed(line)


@pytest.mark.parametrize(
    "line",
    [
        "a print",
        '  File "views.py", line 3, in home',
        '{"timestamp": "soon", "level": "INFO", "logger": "x", "message": "y"}',
        '{"timestamp": "2026-01-02T03:04:05+00:00", "message": "of another formatter"}',
        '{"timestamp": 5}',
        '{"timestamp": "2026-01-02',
        '["timestamp"]',
        "Ä \x1b[31mred\x1b[0m",
        "",
    ],
)
def test_a_line_that_is_not_a_record_is_unchanged(line: str):
    assert printed(f"{line}\n") == ("" if not line else f"{line}\n")


def test_the_empty_lines_of_a_print_are_kept():
    assert printed("a\n", "\n", "\n", "b\n") == "a\n\n\nb\n"


def test_a_print_without_its_newline_does_not_hide_the_record_that_follows():
    assert printed("working..." + record("Done")) == (
        "working...\n12:04:05.678 INFO  http shop Done id-1\n"
    )


def test_a_line_that_arrives_in_parts_is_printed_once_it_is_complete():
    line = record("Sold out")

    assert printed(line[:40], line[40:]) == printed(line)
    assert printed("no newline at the end") == "no newline at the end\n"


def test_the_lines_of_serverless_offline_are_one_for_each_request():
    request = (
        "\n\nGET /dev/ (λ: http)\n",
        record("Sold out"),
        "(λ: http) RequestId: 83ad8a63-e0c1-424d-985c-2064b1662384  Duration: 4.31 ms"
        "  Billed Duration: 5 ms\n",
    )

    assert (
        printed(*request, *request).splitlines()
        == [
            "GET /dev/ (λ: http)",
            "12:04:05.678 INFO  http shop Sold out id-1",
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("level", "colour"), [(logging.WARNING, "33"), (logging.ERROR, "31")]
)
def test_a_terminal_shows_levels_in_colour(level: int, colour: str):
    line = printed(record("Sold out", level), stream=Terminal())

    assert f"\x1b[{colour}mSold out\x1b[0m" in line


def test_a_traceback_is_red_on_a_terminal():
    try:
        raise ValueError("sold out")
    except ValueError:
        line = record("Failed", logging.ERROR, exc_info=sys.exc_info())

    shown = printed(line, stream=Terminal()).splitlines()

    assert shown[-1] == "\x1b[31m    ValueError: sold out\x1b[0m"


def test_no_color_turns_colours_off(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NO_COLOR", "1")

    assert printed(record("x"), stream=Terminal()) == printed(record("x"))


def test_a_real_terminal_is_recognised(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    master, terminal = pty.openpty()
    try:
        with open(terminal, "w") as stream:
            LogPrinter(stream, stage="dev").write(record("x"))
            shown = os.read(master, 1000)
    finally:
        os.close(master)

    assert b"\x1b[36mhttp\x1b[0m" in shown


def test_the_log_of_a_failed_start_is_printed_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fail(options: object) -> None:
        raise OfflineError(f"It does not respond.\n\n{record('Sold out')}")

    monkeypatch.setattr(command, "serve", fail)
    monkeypatch.setattr(signal, "signal", lambda *_: None)

    status = command.main(["--state", str(tmp_path)])

    assert status == 1
    assert capsys.readouterr().err == (
        "It does not respond.\n\n12:04:05.678 INFO  http shop Sold out id-1\n"
    )
