"""The app in another project, on the long-term support release of Django."""

import os
import re
import subprocess
from pathlib import Path

from tests.services import install

LOCK = install.PROJECT / "requirements" / "lts.txt"

# Tests that need nothing from this project.
TESTS = [
    "commands/test_output.py",
    "http",
    "settings",
    "test_client",
    "test_isolation.py",
    "test_middleware.py",
    "test_storage.py",
]


def install_packages(folder: Path) -> None:
    install.say(f"Installing {LOCK.name} into .cache/lts.")
    install.packages(LOCK, folder)


def test_the_tests_of_the_app_pass():
    packages = install.once("lts", LOCK, install_packages)
    # -S hides the packages of .venv.
    python = install.PROJECT / ".venv" / "bin" / "python"

    process = subprocess.run(
        [
            *(python, "-S", "-m", "pytest", "-p", "no:cacheprovider"),
            *(
                "-p",
                "pytest_django",
                "-p",
                "tests.static_files",
                "-p",
                "tests.nightly",
                "-c",
                "tests/lts/pytest.toml",
                "--rootdir",
                ".",
            ),
            *(f"tests/aws_lambda/{name}" for name in TESTS),
        ],
        cwd=install.PROJECT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-2000:]
    assert "django: version: 5.2" in process.stdout
    passed = re.search(r"(\d+) passed", process.stdout)
    assert passed
    assert int(passed[1]) > 2_500
