"""Commands without Lambda and PostgreSQL, and the client without boto3."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.aws_lambda.management.commands.remote import Command
from tests.services.install import PROJECT

PROGRAM = """
import json
import lambda_entry

plan = lambda_entry.manage({"argv": ["migrate"]}, None)
print(json.dumps([plan["exit_code"], plan["output"].split("\\n")[-1]]))
lambda_entry.schedule({"command": "clearsessions"}, None)
"""


def test_commands_run_on_sqlite_without_a_lock(tmp_path: Path):
    process = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stderr
    printed = [line for line in process.stdout.splitlines() if line[:1] == "["]
    exit_code, last = json.loads(printed[-1])
    assert exit_code == 0
    assert last.endswith("OK")
    assert "The scheduled clearsessions succeeded" in process.stdout


def test_a_missing_boto3_is_reported(tmp_path: Path):
    (tmp_path / "boto3.py").write_text("raise ImportError('not installed')")

    process = remote("check", path=tmp_path)

    assert process.returncode == 1
    assert "boto3 is not installed. Run: pip install boto3" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_missing_command_is_reported():
    with pytest.raises(CommandError) as error:
        call_command("remote")

    assert str(error.value) == (
        "No command to run. For example: manage.py remote migrate --plan"
    )


def test_a_missing_function_name_is_reported(settings: Any):
    settings.LAMBDA_MANAGE_FUNCTION = ""

    with pytest.raises(CommandError) as error:
        call_command("remote", "check")

    assert "the setting LAMBDA_MANAGE_FUNCTION is empty" in str(error.value)
    assert "pass --function-name" in str(error.value)


def test_the_help_has_examples():
    text = Command().create_parser("manage.py", "remote").format_help()

    assert "\n  manage.py remote --stage prod migrate --plan\n" in text


def remote(*arguments: str, path: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", "remote", *arguments],
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "PYTHONPATH": str(path),
        },
        capture_output=True,
        text=True,
        check=False,
    )
