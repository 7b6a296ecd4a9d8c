"""`manage.py test` runs this suite."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError

from tests.runner import selection

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


# This test, in all the ways to name it.
MODULE = "tests.test_runner"
TEST = "test_a_label_of_any_depth_selects_what_it_names"
FILE = Path(__file__)


@pytest.mark.parametrize(
    ("label", "selected"),
    [
        ("apps", ROOT / "apps"),
        ("tests.aws_lambda.http", ROOT / "tests" / "aws_lambda" / "http"),
        (MODULE, FILE),
        (f"{MODULE}.{TEST}", f"{FILE}::{TEST}"),
        (f"{MODULE}.Class.method", f"{FILE}::Class::method"),
        (f"{MODULE}.Class.Inner.method", f"{FILE}::Class::Inner::method"),
        (f"{MODULE}::Class::method", f"{FILE}::Class::method"),
        (f"{MODULE}.Class::method", f"{FILE}::Class::method"),
    ],
)
def test_a_label_of_any_depth_selects_what_it_names(
    label: str, selected: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # From any folder.
    monkeypatch.chdir(tmp_path)

    assert selection(label) == str(selected)


@pytest.mark.parametrize(
    "path",
    [
        "tests/cli/",
        "tests/test_runner.py",
        "tests/test_runner.py::Class::method[1.5-x]",
        "/somewhere/else/test_it.py::test_it",
        ".",
        "no/such/file.py",
    ],
)
def test_what_pytest_reads_itself_is_not_changed(
    path: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)

    assert selection(path) == path


@pytest.mark.parametrize(
    ("label", "where", "word"),
    [
        ("shop", "", "shop"),
        ("tests.nowhere.Class", "tests", "nowhere"),
        ("apps.documents.models_test.Class", "apps/documents", "models_test"),
    ],
)
def test_an_unknown_label_is_an_error_that_names_the_missing_file(
    label: str, where: str, word: str
):
    with pytest.raises(CommandError) as error:
        selection(label)

    assert str(error.value) == (
        f"{label} is not a test: {ROOT / where} has neither a folder {word} nor a file "
        f"{word}.py. A label is a path, or like apps.shop.tests.Class.test"
    )


def test_a_label_runs_one_test_and_an_unknown_one_fails():
    process = manage_test(f"{MODULE}.test_a_keyword_chooses_the_tests", "-k", "nothing")
    unknown = manage_test("shop.tests")

    assert "1 deselected" in process.stdout
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("CommandError: shop.tests is not a test: ")
