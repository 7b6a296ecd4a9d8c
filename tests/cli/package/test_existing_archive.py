"""A package that was built before is checked like a new one."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from apps.aws_lambda.cli import ROOT, SERVERLESS
from apps.aws_lambda.cli.configuration import FILE
from apps.aws_lambda.cli.package.command import main
from tests.cli.template import ARCHITECTURE as FOREIGN
from tests.cli.template import empty_package

NATIVE = "arm64" if FOREIGN == "x86_64" else "x86_64"
linux = pytest.mark.skipif(sys.platform != "linux", reason="Lambda is Linux")


def without(archive: Path, target: Path, *names: str) -> Path:
    """Return a copy of an archive in which files and folders are missing."""
    with ZipFile(archive) as whole, ZipFile(target, "w") as part:
        for entry in whole.infolist():
            if not entry.filename.startswith(names):
                part.writestr(entry, whole.read(entry))
    return target


@linux
def test_it_is_tested_with_the_environment_of_the_stage(native, capsys):
    before = native.stat().st_mtime_ns
    variables = json.dumps({"SECRET_KEY": "ssm:/a", "TOPIC": {"Ref": "Topic"}})

    status = main(
        ["--archive", str(native), "--arch", NATIVE, "--environment", variables]
    )

    output = capsys.readouterr().out
    assert status == 0
    assert "is build " in output
    assert "Started http (REST API, HTTP API)" in output
    assert "without TOPIC" in output
    assert "Project code" not in output
    assert native.stat().st_mtime_ns == before


@linux
def test_a_broken_package_is_refused_with_the_reason(native, tmp_path, capsys):
    broken = without(native, tmp_path / "broken.zip", "asgiref/", "bytecode.bundle")

    assert main(["--archive", str(broken), "--arch", NATIVE]) == 1
    assert "No module named 'asgiref'" in capsys.readouterr().err


@linux
def test_a_package_that_was_changed_is_refused(native, tmp_path, capsys):
    changed = without(native, tmp_path / "changed.zip", "apps/health/urls.py")

    assert main(["--archive", str(changed), "--arch", NATIVE]) == 1
    output = capsys.readouterr().err
    assert "was changed after it was built: apps/health/urls.py is not" in output


def test_a_skipped_smoke_test_is_reported(tmp_path, capsys):
    archive = empty_package(tmp_path / "empty.zip")

    assert main(["--archive", str(archive), "--arch", FOREIGN]) == 0
    assert "Smoke test skipped: this machine is" in capsys.readouterr().out


def test_libraries_are_checked_without_smoke_test(tmp_path, capsys):
    archive = empty_package(tmp_path / "wrong.zip")
    with ZipFile(archive, "a") as file:
        file.writestr("fast.so", "not a library")

    assert main(["--archive", str(archive), "--arch", FOREIGN]) == 1
    assert f"fast.so is not a library for {FOREIGN}" in capsys.readouterr().err


def test_a_package_with_a_secret_is_refused(tmp_path, capsys):
    archive = empty_package(tmp_path / "secret.zip")
    with ZipFile(archive, "a") as file:
        file.writestr("project/.env", "SECRET_KEY=x")

    assert main(["--archive", str(archive), "--arch", FOREIGN]) == 1
    assert "must not be deployed" in capsys.readouterr().err


def test_a_package_above_lambdas_limit_is_refused(tmp_path, capsys, monkeypatch):
    archive = empty_package(tmp_path / "large.zip")
    monkeypatch.setattr("apps.aws_lambda.cli.package.sizes.MAX_UNZIPPED_BYTES", 1)

    assert main(["--archive", str(archive), "--arch", FOREIGN]) == 1
    assert "and Lambda's limit is" in capsys.readouterr().err


def test_a_package_for_another_architecture_is_refused(tmp_path, capsys):
    archive = empty_package(tmp_path / "a.zip", NATIVE)

    assert main(["--archive", str(archive), "--arch", FOREIGN]) == 1
    output = capsys.readouterr().err
    assert f"a.zip is a package for {NATIVE}, but the functions are {FOREIGN}" in output
    assert f"make package ARCH={FOREIGN}" in output


def test_a_package_for_another_python_is_refused(tmp_path, capsys):
    archive = empty_package(tmp_path / "a.zip")
    for name in (FILE, "serverless.yml"):
        shutil.copy(ROOT / name, tmp_path)
    path = tmp_path / "serverless.yml"
    path.write_text(path.read_text().replace("python3.13", "python3.12"))

    options = ["--root", str(tmp_path), "--archive", str(archive), "--arch", FOREIGN]

    assert main(options) == 1
    output = capsys.readouterr().err
    assert "is a package for Python 3.13, but the functions run 3.12" in output


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: None, "No such file or directory"),
        (Path.mkdir, "Is a directory"),
        (lambda path: path.write_text("not a zip"), "is not a zip archive"),
        (lambda path: ZipFile(path, "w").close(), "contains no build.json"),
    ],
    ids=["missing", "folder", "text", "other zip"],
)
def test_a_file_that_is_not_a_package_is_refused(make, sentence, tmp_path, capsys):
    make(tmp_path / "a.zip")

    assert main(["--archive", str(tmp_path / "a.zip"), "--arch", FOREIGN]) == 1
    output = capsys.readouterr().err
    assert "a.zip" in output
    assert sentence in output
    assert f"make package ARCH={FOREIGN}" in output


@pytest.mark.parametrize("manifest", ["no JSON", "[]", "{}"])
def test_an_invalid_build_manifest_is_refused(manifest, tmp_path, capsys):
    with ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("build.json", manifest)

    assert main(["--archive", str(tmp_path / "a.zip"), "--arch", FOREIGN]) == 1
    assert "contains no build.json written by" in capsys.readouterr().err


def test_the_cli_does_not_use_a_refused_package(tmp_path: Path):
    archive = empty_package(tmp_path / "a.zip", NATIVE)

    process = subprocess.run(
        [
            *(SERVERLESS, "package", "--package", tmp_path / "made"),
            *(f"--param=artifact={archive}", f"--param=architecture={FOREIGN}"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert f"is a package for {NATIVE}" in process.stderr
    assert "The package was not accepted" in process.stdout + process.stderr
    assert not (tmp_path / "made").exists()
