"""The app's own tests in another site, which installs the wheel."""

import re
from pathlib import Path

import pytest

from tests.lts import site
from tests.services import install

# settings/test_site.py makes a site of its own for each version.
SETTINGS = ("advice", "apply", "apps", "files", "hosts", "logs", "services", "stores")
# Tests that need nothing from this project.
TESTS = [
    "commands/test_output.py",
    "http",
    "mail/test_backend.py",
    *(f"settings/test_{name}.py" for name in SETTINGS),
    "test_client",
    "test_isolation.py",
    "test_middleware.py",
    "test_storage.py",
    "test_whitenoise.py",
]


@pytest.mark.parametrize(
    ("lock", "django", "python"),
    [
        ("lts", "5.2", "3.12"),
        pytest.param(
            *("django60", "6.0", "3.13"),
            marks=pytest.mark.nightly("other versions of Django than 5.2 and 6.1"),
        ),
    ],
    ids=lambda value: value,
)
def test_the_tests_of_the_app_pass(lock: str, django: str, python: str, tmp_path: Path):
    try:
        site.python(python)
    except install.Unavailable as reason:
        pytest.skip(f"Django {django} on Python {python}: {reason}")

    process = site.run_tests(TESTS, lock=lock, version=python, folder=tmp_path)

    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-2000:]
    assert f"django: version: {django}" in process.stdout
    assert f"Python {python}" in process.stdout
    passed = re.search(r"(\d+) passed", process.stdout)
    assert passed
    assert int(passed[1]) > 2_500
