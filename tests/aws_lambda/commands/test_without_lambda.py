"""The same handlers on a developer's machine: SQLite, and no Lambda."""

import json
import os
import subprocess
import sys
from pathlib import Path

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


def test_without_boto3_it_says_what_to_install(tmp_path: Path):
    (tmp_path / "boto3.py").write_text("raise ImportError('none here')")

    process = remote("check", path=tmp_path)

    assert process.returncode == 1
    assert "This needs the package boto3, which is not installed" in process.stderr
    assert "Traceback" not in process.stderr


def test_a_command_is_needed():
    process = remote()

    assert process.returncode == 1
    assert "Which command? For example: remote migrate --plan" in process.stderr


def test_its_help_has_examples():
    process = remote("--help")

    assert process.returncode == 0
    assert "manage.py remote --stage prod migrate --plan\n" in process.stdout


def remote(*arguments: str, path: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "manage.py", "remote", *arguments],
        cwd=PROJECT,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            **({"PYTHONPATH": str(path)} if path else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
