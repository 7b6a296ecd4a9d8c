"""Django's own tests of task backends pass with ours."""

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.services import install

LOCK = install.PROJECT / "requirements" / "runtime.txt"
# What runs, less what adapted.py leaves out.
TESTS = 62


def source_lock() -> Path:
    """Write the part of the lock file that pins Django, with the source's hash."""
    [pin] = re.findall(r"^django==(?:.*\\\n)+.*\n", LOCK.read_text(), re.MULTILINE)
    path = install.CACHE / "django-source.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text(pin)
    return path


def unpack_tests(folder: Path) -> None:
    """Fetch Django's source distribution, and keep the tests of its tasks."""
    install.say("Fetching Django's source into .cache/django-source, for its tests.")
    install.run(
        [
            *(sys.executable, "-m", "uv", "tool", "run", "--python", sys.executable),
            *("pip", "download", "--quiet", "--no-deps", "--no-binary", "django"),
            *("--require-hashes", "--requirement", str(source_lock())),
            *("--dest", str(folder)),
        ]
    )
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        members = [
            m for m in source.getmembers() if "/tests/aws_lambda/tasks/" in m.name
        ]
        for member in members:
            member.name = member.name.partition("/tests/")[2]
        source.extractall(folder, members, filter="data")
    archive.unlink()


def test_djangos_own_tests_of_task_backends_pass():
    source = install.once("django-source", source_lock(), unpack_tests)

    process = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/aws_lambda/tasks/adapted.py"],
        cwd=install.PROJECT,
        env={**os.environ, "PYTHONPATH": str(source), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stdout[-8000:] + process.stderr[-2000:]
    assert f"{TESTS} passed" in process.stdout, process.stdout[-500:]
