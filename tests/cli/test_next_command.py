"""Messages name the command that is right in the folder."""

import re
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT, report
from apps.aws_lambda.cli.__main__ import COMMANDS
from apps.aws_lambda.cli.report import command


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(report, "ROOT", tmp_path)
    return tmp_path


def test_this_repository_has_make_targets():
    assert command("deploy", stage="prod") == "make deploy STAGE=prod"
    assert command("run", lambda_port=3012) == "make run LAMBDA_PORT=3012"


def test_further_arguments_are_in_one_variable():
    arguments = ["--at-once", "--param=alarmEmail=a b"]

    assert command("deploy", arguments, stage="dev") == (
        "make deploy STAGE=dev ARGS='--at-once '\"'\"'--param=alarmEmail=a b'\"'\"''"
    )


def test_a_site_has_the_program(site: Path):
    arguments = ["--param=alarmEmail=a b"]

    assert command("logs", stage="prod", function="tasks") == (
        "django-on-lambda logs --stage prod --function tasks"
    )
    assert command("run", lambda_port=3012) == "django-on-lambda run --lambda-port 3012"
    assert command("deploy", arguments, stage="dev") == (
        "django-on-lambda deploy --stage dev '--param=alarmEmail=a b'"
    )


def test_a_target_of_the_sites_own_is_not_taken_for_the_command(site: Path):
    (site / "Makefile").write_text("deploy:\n\tssh server ./deploy\n")

    assert command("deploy", stage="dev") == "django-on-lambda deploy --stage dev"


def test_a_command_without_a_target_is_the_program_here_too():
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
    without = set(COMMANDS) - set(targets)

    assert "capacity" in without
    assert command("capacity", rps=5) == "django-on-lambda capacity --rps 5"
