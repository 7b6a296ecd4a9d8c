"""What `make logs` prints."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from apps.aws_lambda.cli.release import logs
from apps.aws_lambda.cli.release.stage import NotFound
from tests.cli.release.aliases import NEW, Aliases


def test_a_stage_without_a_log_group_is_reported(monkeypatch: pytest.MonkeyPatch):
    stage = Aliases(NEW)

    def missing(service: str, operation: str, **parameters: Any) -> Any:
        raise NotFound("The specified log group does not exist.")

    monkeypatch.setattr(stage, "call", missing)

    with pytest.raises(NotFound, match="no log group /aws/lambda/site-prod-http") as e:
        logs.follow(stage, "http")

    assert e.value.advice == (
        "create it with: make deploy STAGE=prod, then run: "
        "make logs STAGE=prod FUNCTION=http"
    )


def test_the_log_of_a_stage_is_printed_like_that_of_make_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stage = Aliases(NEW)
    record = {
        "timestamp": "2026-01-02T03:04:05.678+00:00",
        "level": "ERROR",
        "logger": "shop",
        "message": "Sold out",
        "request_id": "id-1",
        "function_name": "site-prod-http",
        "exception": {"traceback": "Traceback:\nValueError: x"},
    }

    def cli(command: str, *options: str, write: Callable[[str], None]) -> None:
        assert (command, *options[:2]) == ("logs", "--function", "http")
        write(f"{json.dumps(record)}\n")
        write('{"type": "platform.report"}\n')

    monkeypatch.setattr(stage, "call", lambda *a, **k: {"logStreams": [{}]})
    monkeypatch.setattr(stage, "serverless", cli)

    logs.follow(stage, "http")

    assert capsys.readouterr().out == (
        "2026-01-02 03:04:05Z ERROR http shop Sold out id-1\n"
        "    Traceback:\n"
        "    ValueError: x\n"
        '{"type": "platform.report"}\n'
    )
