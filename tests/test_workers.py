"""The suite in several processes, and what is left to the nightly run."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from _pytest.config import get_config

from tests.workers import Worker, pytest_cmdline_main

ROOT = Path(__file__).resolve().parents[1]
# mypy checks for Python 3.12, which lacks it.
PROCESSORS = os.process_cpu_count()  # type: ignore[attr-defined]

CONFTEST = """
import pytest

@pytest.fixture(scope="session")
def stage():
    pass
"""
# Two modules that share a service. Their reports have a text that UTF-8 cannot encode.
SHARING = """
import logging
import os
from pathlib import Path

def test_it_uses_the_service(stage):
    logging.getLogger().warning("\\ud800")
    Path(__file__).with_suffix(".worker").write_text(os.environ["PYTEST_XDIST_WORKER"])
"""
ALONE = """
import time
from pathlib import Path

import pytest

folder = Path(__file__).parent

@pytest.mark.alone
@pytest.mark.parametrize("number", range(5))
def test_it_measures_time(number):
    for _ in range(10):
        assert not list(folder.glob("*.running"))
        time.sleep(0.02)
"""
BESIDE = """
import time
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(50))
def test_it_runs_beside_others(number):
    file = Path(__file__).with_name(f"{number}.running")
    file.touch()
    time.sleep(0.01)
    file.unlink()
"""
NIGHTLY = """
import pytest

nightly = pytest.mark.nightly("long")

@pytest.mark.parametrize("number", [1, pytest.param(2, marks=nightly)])
def test_it_takes_long(number):
    pass
"""


def run(*arguments: str | Path, profile: str = "default") -> tuple[int, str]:
    """Return the exit code and the output of pytest."""
    process = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider"),
            *("-c", "pyproject.toml", "--rootdir", ".", *arguments),
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "TEST_PROFILE": profile},
        capture_output=True,
        text=True,
        check=False,
    )
    return process.returncode, process.stdout + process.stderr


def test_workers_share_the_tests_by_service_and_wait_for_a_test_alone(tmp_path: Path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    for name, text in {
        "test_one.py": SHARING,
        "test_two.py": SHARING,
        "test_alone.py": ALONE,
        "test_beside.py": BESIDE,
        "test_nightly.py": NIGHTLY,
    }.items():
        (tmp_path / name).write_text(text)

    code, output = run("-n", "2", tmp_path)

    assert code == 0, output
    assert "58 passed, 1 deselected" in output
    assert "NIGHTLY [1] long" in output
    workers = [path.read_text() for path in tmp_path.glob("*.worker")]
    assert len(workers) == 2
    assert len({*workers}) == 1


def test_the_nightly_profile_leaves_nothing_out(tmp_path: Path):
    file = tmp_path / "test_nightly.py"
    file.write_text(NIGHTLY)

    code, output = run(file, profile="nightly")

    assert code == 0, output
    assert "2 passed" in output
    assert "deselected" not in output
    # A selection is run by one process.
    assert "workers" not in output


def test_the_life_of_a_stage_is_left_to_a_target_of_its_own(tmp_path: Path):
    folder = tmp_path / "tests" / "cloud"
    folder.mkdir(parents=True)
    for file in (folder / "test_life.py", tmp_path / "tests" / "test_other.py"):
        file.write_text("def test_it():\n    pass")

    assert "1 passed" in run("-n", "0", tmp_path)[1]
    assert "1 passed" in run("-n", "0", folder)[1]


def test_each_life_of_a_stage_is_given_to_the_next_free_worker():
    names = [f"tests/cloud/test_life.py::test_it[{name}]" for name in "ab"]
    items = [SimpleNamespace(nodeid=name, fixturenames=["stage"]) for name in names]

    groups = {Worker._group(None, item) for item in items}  # type: ignore[arg-type]

    assert len(groups) == 2


def test_an_unknown_profile_is_refused():
    code, output = run("tests/test_runner.py", profile="nigthly")

    assert code == pytest.ExitCode.USAGE_ERROR
    assert "TEST_PROFILE=nigthly is not one of default, nightly." in output


@pytest.mark.parametrize(
    ("arguments", "workers"),
    [
        ([], PROCESSORS),
        (["-p", "no:cacheprovider"], PROCESSORS),
        (["-n", "0"], 0),
        (["-k", "login"], None),
        (["tests/health"], None),
        (["--last-failed"], None),
        (["--capture=no"], None),
    ],
)
def test_only_the_whole_suite_starts_workers(
    arguments: list[str], workers: int | None, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(ROOT)
    # Parses the options and reads pyproject.toml, but runs nothing.
    config = get_config(arguments)
    try:
        config.parse(arguments)
        # A wrapper, whose first half sets the options.
        next(pytest_cmdline_main(config))

        assert config.option.numprocesses == workers
    finally:
        # Closes the files into which output is captured.
        config._ensure_unconfigure()
