"""requirements/find_python.sh, with only the commands of each test on PATH."""

import shutil
import subprocess
from pathlib import Path

import pytest

from apps.aws_lambda.cli import ROOT

# It prints its path, as the script asks a Python 3.13 to.
PYTHON_3_13 = 'echo "$0"'
# Another version ends with 1; a pyenv shim for another version with 127.
ANOTHER_PYTHON, SHIM = "exit 1", "exit 127"
NOTHING_FOUND = (
    "Python 3.13 was not found, and could not be downloaded. Install it "
    "(https://www.python.org/downloads/), or set PYTHON=/path/to/python.\n"
)


class Machine:
    """A project folder with the scripts in it, and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.scripts = folder / "project" / "requirements"
        self.scripts.mkdir(parents=True)
        for name in ("find_python.sh", "find_uv.sh", "dev.txt"):
            shutil.copy(ROOT / "requirements" / name, self.scripts)
        self.bin.mkdir()
        for tool in ("sh", "dirname", "grep", "mkdir", "rm", "sed", "touch"):
            found = shutil.which(tool)
            assert found
            (self.bin / tool).symlink_to(found)

    def has(self, command: str, script: str) -> Path:
        path = self.bin / command
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def find(
        self, *arguments: str, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.scripts / "find_python.sh", *arguments],
            env={"PATH": str(self.bin), **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def finds(self, python: Path, **environment: str) -> bool:
        result = self.find(**environment)
        return (result.returncode, result.stdout) == (0, f"{python}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_variable_takes_precedence(machine: Machine) -> None:
    machine.has("python3.13", PYTHON_3_13)
    mine = machine.has("opt/mine", PYTHON_3_13)

    assert machine.finds(mine, PYTHON=str(mine))


def test_a_variable_with_another_python_is_reported(machine: Machine) -> None:
    machine.has("python3.13", PYTHON_3_13)

    result = machine.find(PYTHON="/nowhere/python")

    assert result.returncode == 1
    assert result.stdout == ""
    assert result.stderr == (
        "PYTHON=/nowhere/python is not a working Python 3.13. Correct or unset it.\n"
    )


@pytest.mark.parametrize("name", ["python3.13", "python3", "python"])
def test_each_usual_name_is_tried(machine: Machine, name: str) -> None:
    python = machine.has(name, PYTHON_3_13)

    assert machine.finds(python)


def test_a_shim_that_fails_is_skipped(machine: Machine) -> None:
    machine.has("python3.13", SHIM)
    machine.has("python3", ANOTHER_PYTHON)
    python = machine.has("python", PYTHON_3_13)

    assert machine.finds(python)


def test_pyenvs_versions_are_tried(machine: Machine) -> None:
    machine.has("python3.13", SHIM)
    python = machine.has("pyenv-root/versions/3.13.1/bin/python", PYTHON_3_13)
    machine.has(
        "pyenv",
        f"""case $1 in
versions) echo 3.12.1; echo 3.13.1; echo 3.13.1t ;;
root) echo {machine.bin}/pyenv-root ;;
esac""",
    )

    assert machine.finds(python)


def test_uvs_own_python_is_used(machine: Machine) -> None:
    python = machine.has("uv-python", PYTHON_3_13)
    machine.has("uv", f'[ "$1" = python ] && echo {python}; exit 0')

    assert machine.finds(python)
    assert machine.find().stderr == ""


def test_a_download_by_uv_is_reported(machine: Machine) -> None:
    python = machine.bin / "downloaded"
    machine.has("downloaded.new", PYTHON_3_13)
    machine.has("mv", "exec /bin/mv $@")
    machine.has(
        "uv",
        f"""case "$1 $2" in
"python install") mv {python}.new {python} ;;
"python find") [ -e {python} ] && echo {python} ;;
esac""",
    )

    result = machine.find()

    assert (result.returncode, result.stdout) == (0, f"{python}\n")
    assert result.stderr == "Downloading Python 3.13\n"


def test_another_version_is_found_by_its_name(machine: Machine) -> None:
    machine.has("python3.13", PYTHON_3_13)
    python = machine.has("python3.12", 'echo "$0 $3"')

    result = machine.find("3.12")

    assert (result.returncode, result.stdout) == (0, f"{python} 3.12\n")


def test_a_missing_python_is_reported_in_one_sentence(machine: Machine) -> None:
    machine.has("python3.13", SHIM)
    machine.has("python3", ANOTHER_PYTHON)

    result = machine.find()

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == NOTHING_FOUND


def test_an_index_that_cannot_be_reached_is_the_reason(machine: Machine) -> None:
    machine.has("python3.13", SHIM)
    # It has pip, and no network.
    for name in ("python3", "python"):
        machine.has(
            name,
            f"""case "$*" in
*--version) ;;
*" install "*) echo {name} >> {machine.bin}/attempts; exit 1 ;;
*) exit 1 ;;
esac""",
        )

    result = machine.find()

    assert result.returncode == 1
    assert result.stderr == (
        "The package index, from which uv is installed, cannot be reached. Check the "
        "network and the proxy (HTTPS_PROXY).\n" + NOTHING_FOUND
    )
    assert (machine.bin / "attempts").read_text() == "python3\n"
