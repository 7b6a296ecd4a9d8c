"""What `make logs` prints."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from apps.aws_lambda.cli.release import logs
from apps.aws_lambda.cli.release.errors import NotFound
from apps.aws_lambda.cli.report import DeployError
from tests.cli.release.aliases import NEW, Aliases
from tests.services.aws import AWS


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


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Write a record to the log of a function, so many seconds ago."""
    with AWS() as aws:
        for name, value in aws.environment().items():
            monkeypatch.setenv(name, value)
        client = aws.client("logs")

        def write(function: str, text: str, ago: float = 0) -> None:
            group = f"/aws/lambda/site-prod-{function}"
            try:
                client.create_log_group(logGroupName=group)
                client.create_log_stream(logGroupName=group, logStreamName="one")
            except client.exceptions.ResourceAlreadyExistsException:
                pass
            client.put_log_events(
                logGroupName=group,
                logStreamName="one",
                logEvents=[
                    {"timestamp": int((time.time() - ago) * 1000), "message": text}
                ],
            )

        yield write


def test_a_request_is_found_in_the_logs_of_all_functions(
    logged: Callable[..., None], capsys: pytest.CaptureFixture[str]
):
    logged("tasks", "the task of id-1", ago=10)
    logged("http", "id-1 has ended", ago=20)
    logged("http", "id-1 has begun", ago=30)
    logged("http", "id-2 has begun", ago=25)

    logs.find(Aliases(NEW), "id-1", 24)

    assert capsys.readouterr().out.splitlines() == [
        "id-1 has begun",
        "id-1 has ended",
        "the task of id-1",
    ]


def test_a_request_that_no_function_has_logged_is_reported(
    logged: Callable[..., None],
):
    logged("http", "id-1 has begun", ago=3 * 3600)

    with pytest.raises(DeployError, match="has logged id-1 in the last 2 hours"):
        logs.find(Aliases(NEW), "id-1", 2)


def test_an_id_that_cannot_be_one_is_refused(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        logs.main(["--stage", "prod", "--request", 'id" "x'])

    assert "is not the ID of a request, a task or a trace" in capsys.readouterr().err
