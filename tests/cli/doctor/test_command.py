"""The lines of the doctor, and its exit status."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.doctor import command, inside
from apps.aws_lambda.cli.doctor.line import OK, PROBLEM, UNKNOWN, Line, joined
from apps.aws_lambda.cli.release import manage
from apps.aws_lambda.cli.release.errors import NoAccess, NotFound
from apps.aws_lambda.cli.report import DeployError
from apps.aws_lambda.commands.diagnosis import Finding
from apps.aws_lambda.commands.remote.access import Barrier
from apps.aws_lambda.commands.remote.errors import RemoteError
from tests.cli.doctor.conftest import AnsweringStage

ITEMS = [
    *("alias", "environment", "roles", "function", "secrets", "database"),
    *("static files", "bucket", "disk", "queue", "e-mail", "errors", "cold starts"),
]


def run(stage: Any, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(command, "Stage", lambda name, region: stage)
    monkeypatch.setattr(command, "interrupt_on_signals", lambda: None)
    return command.main(["--stage", "prod"])


def test_a_healthy_stage_has_a_line_for_each_item(
    stage: AnsweringStage,
    seen: list[Line],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert run(stage, monkeypatch) == 0

    output = capsys.readouterr().out.splitlines()
    assert [line[8:22].strip() for line in output] == ITEMS
    assert {line[:8].strip() for line in output} == {"ok"}


def test_a_problem_has_its_next_step_in_the_line(
    stage: AnsweringStage,
    seen: list[Line],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    seen[2] = Line("database", PROBLEM, "no answer", "docs/deploy-reference.md#vpc")

    assert run(stage, monkeypatch) == 1

    output = capsys.readouterr().out.splitlines()
    assert (
        "problem database      no answer. Next: docs/deploy-reference.md#vpc" in output
    )
    assert len(output) == len(ITEMS)


def test_a_stage_that_does_not_exist_is_reported(
    stage: AnsweringStage,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def stack() -> None:
        raise NotFound("There is no stack site-prod.", advice="make deploy STAGE=prod")

    monkeypatch.setattr(stage, "stack", stack)

    assert run(stage, monkeypatch) == 1

    assert capsys.readouterr().err == (
        "There is no stack site-prod.\nNext: make deploy STAGE=prod\n"
    )


def test_without_a_live_version_there_is_one_line(stage: AnsweringStage):
    stage.live = {}

    [line] = command.examine(stage)

    assert line.item == "alias"
    assert line.state == PROBLEM


@pytest.mark.parametrize(
    ("operation", "item"),
    [
        ("get_alias", "alias"),
        ("simulate_principal_policy", "roles"),
        ("get_queue_attributes", "queue"),
        ("get_email_identity", "e-mail"),
        ("get_account", "e-mail"),
        ("filter_log_events", "errors"),
        ("get_metric_data", "cold starts"),
    ],
)
def test_what_the_operator_may_not_ask_is_unknown_and_not_ok(
    stage: AnsweringStage, seen: list[Line], operation: str, item: str
):
    stage.answers[operation] = DeployError("AWS refused it:\nnot authorized")

    lines = {line.item: line for line in command.examine(stage)}

    assert [*lines] == ITEMS
    bad = [line for line in lines.values() if line.state != OK]
    assert [line.item for line in bad] == [item]
    assert bad[0].state == UNKNOWN
    assert bad[0].text.startswith("AWS refused it: not authorized")
    assert bad[0].next_step == "docs/troubleshoot.md#permissions"


def test_a_failure_of_aws_is_not_a_missing_permission(
    stage: AnsweringStage, seen: list[Line]
):
    stage.answers["filter_log_events"] = DeployError("503", first="wait a minute")

    [line] = [line for line in command.examine(stage) if line.item == "errors"]

    assert line == Line("errors", UNKNOWN, "503", "wait a minute")


def test_missing_parameters_explain_a_function_that_does_not_start(
    stage: AnsweringStage, monkeypatch: pytest.MonkeyPatch
):
    lines = inside.no_answer("it failed to start", "make logs")
    monkeypatch.setattr(inside, "look", lambda stage: lines)
    stage.answers["get_parameters"] = {"InvalidParameters": ["/site/prod/secret-key"]}

    found = {line.item: line for line in command.examine(stage)}

    assert [*found] == ITEMS
    assert found["function"].state == PROBLEM
    assert found["secrets"].state == PROBLEM
    assert "/site/prod/secret-key" in found["secrets"].text
    assert found["database"].state == UNKNOWN


def test_a_session_that_expires_ends_with_one_message(
    stage: AnsweringStage,
    seen: list[Line],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    expired = NoAccess(Barrier("The AWS session has expired.", "log in"))
    stage.answers["simulate_principal_policy"] = expired

    assert run(stage, monkeypatch) == 1

    printed = capsys.readouterr()
    assert [line[8:22].strip() for line in printed.out.splitlines()] == ITEMS[:2]
    assert printed.err == (
        "The AWS session has expired.\nNext: log in, then run: make doctor STAGE=prod\n"
    )


def test_the_worst_of_two_lines_has_the_next_step():
    good = Line("queue", OK, "0 tasks wait")
    unknown = Line("queue", UNKNOWN, "refused", "permissions")
    bad = Line("queue", PROBLEM, "no route", "vpc")

    assert joined([good]) == good
    assert joined([good, unknown]) == Line(
        "queue", UNKNOWN, "refused; 0 tasks wait", "permissions"
    )
    assert joined([good, unknown, bad]).next_step == "vpc"


# The manage function


def answer(
    monkeypatch: pytest.MonkeyPatch, code: int, *lines: str
) -> list[tuple[Any, Any]]:
    """Make the manage function print lines; return its targets and commands."""
    asked = []

    def call(target: Any, argv: Any, *, write: Any, **options: Any) -> int:
        asked.append((target, argv))
        for line in lines:
            write(line)
        return code

    monkeypatch.setattr(manage, "call", call)
    return asked


def findings() -> list[str]:
    return [
        json.dumps(Finding(item, True, "fine")._asdict())
        for item in ("function", *inside.ITEMS)
    ]


def test_the_live_version_of_the_manage_function_is_asked(
    stage: AnsweringStage, monkeypatch: pytest.MonkeyPatch
):
    bad = json.dumps(Finding("queue", False, "no route", "vpc")._asdict())
    asked = answer(monkeypatch, 0, "a warning of an app", *findings(), bad)

    lines = inside.look(stage)

    [(target, argv)] = asked
    assert str(target) == "site-prod-manage:live"
    assert argv == ["lambda_diagnose"]
    assert [line.item for line in lines] == ["function", *inside.ITEMS, "queue"]
    assert lines[-1] == Line("queue", PROBLEM, "no route", "vpc")
    assert {line.state for line in lines[:-1]} == {OK}


@pytest.mark.parametrize("region", ["", "eu-west-1"])
def test_a_remote_command_to_run_next_has_the_region_of_this_one(
    stage: AnsweringStage, monkeypatch: pytest.MonkeyPatch, region: str
):
    stage.asked_region = region
    step = "manage.py remote --stage prod migrate"
    bad = Finding("database", False, "has unapplied migrations", step)
    answer(monkeypatch, 0, *findings(), json.dumps(bad._asdict()))

    *_, line = inside.look(stage)

    where = f"--region {region} " if region else ""
    assert line.next_step == f"manage.py remote {where}--stage prod migrate"


@pytest.mark.parametrize(
    ("code", "text", "next_step"),
    [
        (126, "LAMBDA_REMOTE_COMMANDS does not allow lambda_diagnose", "add it"),
        (1, "failed with exit code 1: There is no command", "release"),
        (0, "printed no findings", "make logs"),
    ],
)
def test_a_function_that_does_not_run_the_command_is_a_problem(
    stage: AnsweringStage,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    text: str,
    next_step: str,
):
    answer(monkeypatch, code, "There is no command")

    first, *others = inside.look(stage)

    assert first.item == "function"
    assert first.state == PROBLEM
    assert text in first.text
    assert first.next_step.startswith(next_step)
    assert [(line.item, line.state) for line in others] == [
        (item, UNKNOWN) for item in inside.ITEMS
    ]


def test_a_function_that_fails_is_a_problem(
    stage: AnsweringStage, monkeypatch: pytest.MonkeyPatch
):
    def call(*arguments: Any, **options: Any) -> int:
        raise RemoteError("site-prod-manage:live failed to start")

    monkeypatch.setattr(manage, "call", call)

    first, *_ = inside.look(stage)

    assert first == Line(
        "function",
        PROBLEM,
        "site-prod-manage:live failed to start",
        "make logs STAGE=prod FUNCTION=manage",
    )


# The programs


def test_the_management_command_passes_its_arguments_on(
    monkeypatch: pytest.MonkeyPatch,
):
    ran = []

    class Ended:
        returncode = 1

    def run_program(argv: list[str], **options: Any) -> type[Ended]:
        ran.append(argv)
        return Ended

    monkeypatch.setattr(subprocess, "run", run_program)

    with pytest.raises(SystemExit) as raised:
        call_command("lambda_doctor", "--", "--stage", "prod")

    assert raised.value.code == 1
    assert ran == [
        [sys.executable, "-m", "apps.aws_lambda.cli", "doctor", "--stage", "prod"]
    ]


def test_a_python_without_boto3_is_reported_with_the_extra_to_install():
    script = (
        "import sys; sys.modules['boto3'] = None\n"
        "from apps.aws_lambda.cli.__main__ import main\n"
        "sys.exit(main(['doctor', '--stage', 'prod']))"
    )

    process = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert process.stderr.startswith("doctor needs boto3, which ")
    assert process.stderr.endswith("pip install 'django-on-lambda[deploy]'\n")
    assert "Traceback" not in process.stderr


# The documentation


def test_every_item_is_documented():
    page = Path(ROOT, "docs", "troubleshoot.md").read_text()

    assert re.findall(r"^\| `([\w -]+)` \|", page, re.MULTILINE) == ITEMS
