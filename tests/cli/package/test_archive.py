"""The archive that Lambda runs."""

import json
import marshal
import struct
import subprocess
import sys
from fnmatch import fnmatch
from importlib.util import source_hash
from pathlib import Path
from zipfile import ZipFile

import pytest

from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.package.archive import extract
from apps.aws_lambda.cli.package.build import build
from tests.cli.conftest import copy_project
from tests.cli.template import ARCHITECTURE as FOREIGN

# Elsewhere a package has no code bundle.
ON_LINUX = sys.platform == "linux"
FORBIDDEN = (
    "*/tests/*",
    "tests/*",
    "*node_modules*",
    "*.sqlite3*",
    "*.env*",
    "*.po",
    "*.pyi",
    "apps/aws_lambda/test/*",
    "benchmarks/*",
    "apps/aws_lambda/cli/*",
    "botocore/*",
    "bin/*",
    "*/django/contrib/admin/static/*",
    # LANGUAGES has English only.
    "django/*/locale/de/*",
)


def test_the_same_input_gives_the_same_bytes_in_another_folder(native, tmp_path):
    other = copy_project(tmp_path / "a folder with another name")

    again = build(other, native.stem.removeprefix("lambda-"))

    assert again.read_bytes() == native.read_bytes()


def test_the_archive_has_what_the_site_needs_and_nothing_else(arm64):
    names = ZipFile(arm64).namelist()

    for needed in (
        "lambda_entry.py",
        "project/settings.py",
        "project/templates/home.html",
        "apps/aws_lambda/templates/aws_lambda/error.html",
        "apps/documents/migrations/0001_initial.py",
        "django/conf/locale/en/LC_MESSAGES/django.mo",
        "django/contrib/admin/templates/admin/login.html",
        "staticfiles/staticfiles.json",
        "build.json",
    ):
        assert needed in names
    unwanted = [n for n in names for pattern in FORBIDDEN if fnmatch(n, pattern)]
    assert unwanted == []


def test_the_metadata_of_packages_is_kept(arm64):
    names = ZipFile(arm64).namelist()

    assert any(fnmatch(name, "django-6.*.dist-info/METADATA") for name in names)
    assert not any(name.endswith(("/RECORD", "/INSTALLER")) for name in names)


def test_entries_are_sorted_without_times_and_readable_by_every_user(native):
    *entries, last = ZipFile(native).infolist()

    assert [e.filename for e in entries] == sorted(e.filename for e in entries)
    if ON_LINUX:
        assert last.filename == "bytecode.bundle"
    entries.append(last)
    assert {e.date_time for e in entries} == {(1980, 1, 1, 0, 0, 0)}
    modes = {e.external_attr >> 16 & 0o7777 for e in entries}
    assert modes == {0o644, 0o755}


def test_the_wrapper_of_the_runtime_client_may_be_run(arm64, tmp_path: Path):
    extract(arm64, tmp_path)

    wrapper = tmp_path / "apps" / "aws_lambda" / "runtime" / "wrapper"
    assert wrapper.read_text().startswith("#!/bin/sh\n")
    assert wrapper.stat().st_mode & 0o777 == 0o755
    entry = ZipFile(arm64).getinfo("apps/aws_lambda/runtime/wrapper")
    assert entry.external_attr >> 16 & 0o777 == 0o755


def test_every_module_has_unchecked_bytecode(request):
    # Of another architecture: the other one has most of it in its code bundle.
    archive = ZipFile(request.getfixturevalue(FOREIGN))
    modules = [n for n in archive.namelist() if n.endswith(".py")]

    assert len(modules) > 500
    for name in modules:
        folder, _, module = name.rpartition("/")
        cached = f"{folder}/__pycache__/{module[:-3]}.cpython-313.pyc".lstrip("/")
        data = archive.read(cached)
        # Hash-based, unchecked: https://peps.python.org/pep-0552/
        assert struct.unpack("<I", data[4:8]) == (1,), name
        assert data[8:16] == source_hash(archive.read(name)), name
        assert marshal.loads(data[16:]).co_filename == f"/var/task/{name}"  # noqa: S302


@pytest.mark.parametrize(("arch", "machine"), [("arm64", 183), ("x86_64", 62)])
def test_libraries_are_for_the_architecture_of_the_package(arch, machine, request):
    archive = ZipFile(request.getfixturevalue(arch))
    libraries = [n for n in archive.namelist() if ".so" in n]

    assert {"psycopg_binary", "pybase64"} <= {n.partition("/")[0] for n in libraries}
    for name in libraries:
        assert struct.unpack("<H", archive.read(name)[18:20]) == (machine,), name


def test_the_build_manifest_lists_the_inputs(project: Path, arm64, x86_64):
    manifest = json.loads(ZipFile(arm64).read("build.json"))
    other = json.loads(ZipFile(x86_64).read("build.json"))
    head = subprocess.check_output(
        ["git", "-C", str(project), "rev-parse", "HEAD"], text=True
    )

    assert manifest["commit"] == head.strip()
    assert manifest["python"] == "3.13"
    assert manifest["architecture"] == "arm64"
    assert manifest["packages"]["django"].startswith("6.1")
    assert not Configuration.read(project).provided & set(manifest["packages"])
    assert manifest["build_id"] != other["build_id"]
