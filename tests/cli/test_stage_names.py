"""The name of a stage that cannot exist, in each place where it enters."""

import os
import re
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from apps.aws_lambda.cli import ROOT, SERVERLESS

COMMANDS = ("bucket", "deploy", "doctor", "info", "logs", "remove", "rollback")
INVALID = ("", "a b", "prod/x", "Prod_1", "1st", "-x", "dev\n")
MUST = "must be a letter, then letters, digits and hyphens"


def run(
    *command: str | os.PathLike[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def program(command: str, stage: str) -> subprocess.CompletedProcess[str]:
    return run(
        *(sys.executable, "-m", "apps.aws_lambda.cli", command, f"--stage={stage}")
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_reports_it_in_one_sentence(command: str):
    process = program(command, "a b")

    assert process.returncode == 1
    lines = [line for line in process.stderr.splitlines() if line]
    assert lines[0].startswith(f"The stage is 'a b', and its name {MUST}")
    assert lines[-1] == "Next: give the name of a stage, such as dev or prod"
    assert set(lines[1:-1]) <= {"Nothing was changed."}


@pytest.mark.parametrize("stage", INVALID)
def test_every_invalid_name_is_reported(stage: str):
    assert (
        f"The stage is {stage!r}, and its name {MUST}" in program("info", stage).stderr
    )


def test_the_name_of_a_developers_machine_is_not_deployed():
    process = program("deploy", "local")

    assert process.returncode == 1
    assert (
        "The stage is 'local', with which the settings are those of a developer's"
        in (process.stderr)
    )
    assert "Nothing was changed." in process.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_make_passes_the_name_as_one_argument(command: str):
    # It prints the commands, and runs none of them.
    process = run("make", "--dry-run", command, "STAGE=a b")

    assert f'cli {command} --stage "a b"' in process.stdout


# They read an empty variable as one that is not set, and strip the others.
@pytest.mark.parametrize("stage", INVALID[1:-1])
def test_the_settings_report_it_without_a_traceback(stage: str):
    process = run(sys.executable, "manage.py", "check", STAGE=stage)

    assert process.returncode == 1
    assert process.stderr.startswith("ImproperlyConfigured: STAGE must be a letter, ")
    assert len(process.stderr.splitlines()) == 1


def test_the_traceback_of_a_setting_is_printed_on_request():
    process = run(sys.executable, "manage.py", "check", "--traceback", STAGE="a b")

    assert process.returncode == 1
    assert "project/settings.py" in process.stderr


@pytest.mark.parametrize("stage", INVALID)
def test_a_remote_command_reports_it(stage: str):
    with pytest.raises(CommandError, match=re.escape(f"--stage is {stage!r}, and")):
        call_command("remote", "check", stage=stage)


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("1st", f'The stage is "1st", and its name {MUST}'),
        ("local", 'The stage is "local", with which the settings are those of a'),
    ],
)
def test_the_plugin_reports_what_the_serverless_cli_accepts(stage: str, words: str):
    process = run(SERVERLESS, "package", "--stage", stage)

    assert process.returncode == 1
    assert words in process.stdout + process.stderr
    assert "parameters.js" not in process.stdout + process.stderr
