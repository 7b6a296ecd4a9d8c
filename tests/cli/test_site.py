"""The site's own Python is found, and asked."""

import sys
from pathlib import Path

import pytest

from apps.aws_lambda.cli.site import SiteError, ask, find_python

WITHOUT_DJANGO = "#!/bin/sh\nexit 1\n"


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def python(folder: Path, *, django: bool = True) -> Path:
    """Make a virtual environment of which only the interpreter exists."""
    text = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n' if django else WITHOUT_DJANGO
    return program(folder / "bin" / "python", text)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def test_the_active_environment_is_first(root: Path, monkeypatch: pytest.MonkeyPatch):
    active = python(root.parent / "active")
    python(root / ".venv")
    monkeypatch.setenv("VIRTUAL_ENV", str(root.parent / "active"))

    assert find_python(root) == active


def test_an_active_environment_without_django_is_not_the_sites(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    python(root.parent / "active", django=False)
    monkeypatch.setenv("VIRTUAL_ENV", str(root.parent / "active"))
    own = python(root / ".venv")

    assert find_python(root) == own


@pytest.mark.parametrize(
    ("lock", "tool"),
    [("uv.lock", "uv"), ("poetry.lock", "poetry"), ("Pipfile", "pipenv")],
)
def test_a_tool_knows_its_environment(
    lock: str, tool: str, root: Path, monkeypatch: pytest.MonkeyPatch
):
    elsewhere = python(root.parent / "elsewhere")
    program(root.parent / "tools" / tool, f'#!/bin/sh\necho "{elsewhere}"\n')
    monkeypatch.setenv("PATH", f"{root.parent / 'tools'}:/usr/bin:/bin")
    (root / lock).write_text("")

    assert find_python(root) == elsewhere


def test_it_is_the_python_that_runs_the_command_if_there_is_no_other(root: Path):
    assert find_python(root) == Path(sys.executable)


def test_what_a_script_prints_is_not_its_report(root: Path):
    script = program(
        root / "script.py",
        "import json, os, sys\nprint('noise')\n"
        "answer = [os.getcwd(), json.loads(sys.argv[1]), os.environ['A']]\n"
        "open(sys.argv[2], 'w').write(json.dumps({'answer': answer}))\n",
    )

    report = ask(Path(sys.executable), script, root, {"q": 1}, {"A": "b"})

    assert report == {"answer": [str(root), {"q": 1}, "b"]}


def test_a_script_without_a_report_is_an_error_with_its_last_line(root: Path):
    script = program(root / "script.py", "raise SystemExit('It broke.')\n")

    with pytest.raises(SiteError, match=r"ended with status 1: It broke\."):
        ask(Path(sys.executable), script, root, {}, {})
