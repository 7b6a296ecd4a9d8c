"""What the wheel contains, and how it describes itself."""

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

from tests.lts import site
from tests.services import install

SOURCE = "apps/aws_lambda/"


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """Return the texts of the files in the wheel."""
    with zipfile.ZipFile(site.wheel()) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


@pytest.fixture
def metadata(files: dict[str, str]) -> Message:
    [text] = [text for name, text in files.items() if name.endswith("/METADATA")]
    return Parser().parsestr(text)


def tracked() -> set[str]:
    git = ["git", "-C", str(install.PROJECT), "ls-files", "--cached", "--others"]
    listed = subprocess.check_output(
        [*git, "--exclude-standard", SOURCE], text=True
    ).splitlines()
    return {name for name in listed if (install.PROJECT / name).is_file()}


def test_the_wheel_has_every_file_of_the_app_and_nothing_else(files: dict[str, str]):
    expected = {
        name.replace(SOURCE, f"{site.NAME}/")
        for name in tracked()
        if "/cli/sam/" not in name
    }

    assert {name for name in files if ".dist-info/" not in name} == expected


@pytest.mark.parametrize(
    "name",
    [
        "py.typed",
        "templates/aws_lambda/error.html",
        "tasks/results/migrations/0001_initial.py",
        "cli/serverless/plugin/index.js",
        "cli/serverless/resources/roles.yml",
    ],
)
def test_files_of_every_kind_are_in_it(files: dict[str, str], name: str):
    assert f"{site.NAME}/{name}" in files


def test_no_file_contains_the_name_of_the_app_in_this_repository(
    files: dict[str, str],
):
    named = [
        name
        for name, text in files.items()
        if ".dist-info/" not in name
        and (site.HERE in text or SOURCE.rstrip("/") in text)
    ]

    assert named == []


def test_each_supported_version_is_a_classifier(metadata: Message):
    classifiers = metadata.get_all("Classifier", [])

    for name in ("Python :: 3.12", "Python :: 3.13", "Python :: 3.14"):
        assert f"Programming Language :: {name}" in classifiers
    for version in ("5.2", "6.0", "6.1"):
        assert f"Framework :: Django :: {version}" in classifiers
    assert metadata["Requires-Python"] == ">=3.12"


def test_every_requirement_has_a_lower_and_an_upper_bound(metadata: Message):
    requirements = metadata.get_all("Requires-Dist", [])

    assert len(requirements) > 5
    assert [r for r in requirements if ">=" not in r or "<" not in r] == []


def test_the_program_and_its_module_start(tmp_path: Path):
    with zipfile.ZipFile(site.wheel()) as file:
        file.extractall(tmp_path)
    scripts = tomllib.loads((install.PROJECT / "pyproject.toml").read_text())
    module, _, function = scripts["project"]["scripts"]["django-on-lambda"].partition(
        ":"
    )
    start = f"import sys; from {module} import {function}; sys.exit({function}())"

    printed = {
        subprocess.check_output(
            [sys.executable, *options, "--help"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path)},
            text=True,
        )
        for options in (["-c", start], ["-m", f"{site.NAME}.cli"])
    }

    [help_text] = printed
    assert help_text.startswith("usage: django-on-lambda")


def test_every_import_of_the_commands_is_a_dependency(metadata: Message):
    declared = {
        re.split(r"[^\w.-]", line, maxsplit=1)[0].lower().replace("-", "_")
        for line in metadata.get_all("Requires-Dist", [])
        if "extra ==" not in line or re.search("extra == '(deploy|local)'", line)
    }
    imported = set()
    for path in sorted((install.PROJECT / SOURCE / "cli").rglob("*.py")):
        # The programs, the probe and the recorder run with the site's packages.
        if "programs" in path.parts or path.name in ("probe.py", "recorder.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.partition(".")[0])

    # boto3 requires botocore, and moto werkzeug.
    imported -= {"botocore", "werkzeug", *sys.stdlib_module_names}
    assert imported <= declared
