"""
Another site that installs the wheel: its Python, its Django, and the app's own tests.

The wheel is built with hatchling of .venv, without isolation and without network.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tests import environment
from tests.services import install

# The import names in the wheel and in this repository.
NAME, HERE = "django_on_lambda", "apps.aws_lambda"


def wheel() -> Path:
    """Return the wheel of this repository, built once a session."""
    [built] = environment.once("wheel", _build).glob("*.whl")
    return built


def _build() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="wheel-"))
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "build", "--wheel", "--quiet", "--no-build-isolation"]
    command += ["--python", sys.executable, "--out-dir", str(folder)]
    install.run([*command, str(install.PROJECT)])
    return folder


def python(version: str) -> Path:
    """Return an interpreter. Raises Unavailable if uv cannot download it."""
    script = install.PROJECT / "requirements" / "find_python.sh"
    environ = {k: v for k, v in os.environ.items() if k != "PYTHON"}
    return Path(install.run([str(script), version], env=environ).strip())


def packages(lock: str, version: str) -> Path:
    """Return a folder with the packages of a lock file for a version of Python."""
    file = install.PROJECT / "requirements" / f"{lock}.txt"
    interpreter = python(version)

    def fill(folder: Path) -> None:
        install.say(f"Installing {file.name} into .cache/{lock}.")
        install.packages(file, folder, python=interpreter)

    return install.once(f"{lock}-{version}", file, fill)


def copy_tests(target: Path) -> None:
    """Copy the tests into a site, where the app has the wheel's name."""
    skipped = shutil.ignore_patterns("__pycache__")
    shutil.copytree(install.PROJECT / "tests", target / "tests", ignore=skipped)
    shutil.copytree(install.PROJECT / "docs", target / "docs")
    shutil.copy(install.PROJECT / "conftest.py", target)
    for path in [target / "conftest.py", *(target / "tests").rglob("*.py")]:
        path.write_text(path.read_text().replace(HERE, NAME))


def run_tests(
    names: list[str], *, lock: str, version: str, folder: Path
) -> subprocess.CompletedProcess[str]:
    """Run tests of the app in a site in ``folder`` that has the wheel."""
    with zipfile.ZipFile(wheel()) as file:
        file.extractall(folder / "wheel")
    copy_tests(folder)
    path = os.pathsep.join([str(folder / "wheel"), str(packages(lock, version))])
    # -S hides the packages of the interpreter.
    command = [str(python(version)), "-S", "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["-p", "pytest_django", "-p", "tests.static_files"]
    command += ["-p", "tests.nightly", "-o", "markers=nightly(reason): tests.nightly"]
    command += ["--ds", "tests.lts.settings", "-W", "error", "--rootdir", "."]
    return subprocess.run(
        [*command, *(f"tests/aws_lambda/{name}" for name in names)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
