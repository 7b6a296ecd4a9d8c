"""`manage.py test` runs this suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def manage_test(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "test", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def failing(tmp_path: Path) -> str:
    file = tmp_path / "test_failing.py"
    file.write_text("def test_it_fails():\n    assert False\n")
    return str(file)


def test_it_finds_tests_that_are_functions():
    process = manage_test("tests/aws_lambda/http/test_payload_2_0.py")

    assert process.returncode == 0
    assert "3 passed" in process.stdout


def test_a_failing_test_fails_the_command(failing: str):
    process = manage_test(failing)

    assert process.returncode != 0
    assert "1 failed" in process.stdout


def test_a_keyword_chooses_the_tests():
    process = manage_test("tests/aws_lambda/http/test_payload_2_0.py", "-k", "cookies")

    assert "1 passed, 2 deselected" in process.stdout
