"""Packages are installed for the platform: wheels, or what is pure Python."""

import sys
import tarfile
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

from apps.aws_lambda.cli.package import PackageError
from apps.aws_lambda.cli.package.dependencies import install
from apps.aws_lambda.cli.package.locks import Lock, Requirement
from apps.aws_lambda.cli.package.platform import Platform

ARM = Platform("arm64", "3.13")
PYPROJECT = """
[project]
name = "{name}"
version = "1.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
# Builds a wheel without setuptools, which would have to be fetched.
BACKEND = """
import os, subprocess, zipfile
def build_wheel(folder, config_settings=None, metadata_directory=None):
    {compile}
    with zipfile.ZipFile(f"{{folder}}/{name}-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("{name}.py", "")
        info = "{name}-1.0.dist-info"
        wheel.writestr(f"{{info}}/WHEEL", "Wheel-Version: 1.0\\nTag: py3-none-any\\n")
        metadata = "Metadata-Version: 2.1\\nName: {name}\\nVersion: 1.0\\n"
        wheel.writestr(f"{{info}}/METADATA", metadata)
        wheel.writestr(f"{{info}}/RECORD", "")
    return "{name}-1.0-py3-none-any.whl"
"""
COMPILE = 'subprocess.run([os.environ["CC"], "-shared", "x.c"], check=True)'


def project(folder: Path, name: str, compiles: bool = False) -> Path:
    """Write a project without a wheel, which may compile an extension."""
    folder = folder / f"{name}-1.0"
    folder.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(PYPROJECT.format(name=name))
    (folder / "backend.py").write_text(
        BACKEND.format(name=name, compile=COMPILE if compiles else "pass")
    )
    (folder / "PKG-INFO").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    )
    return folder


def sdist(folder: Path, name: str, compiles: bool = False) -> Requirement:
    """Return a requirement of a package that has a source distribution only."""
    source = project(folder, name, compiles)
    archive = folder / f"{source.name}.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, source.name)
    digest = sha256(archive.read_bytes()).hexdigest()
    return Requirement(name, "==1.0", hashes=(f"sha256:{digest}",))


def wheel(folder: Path, name: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with ZipFile(path, "w") as file:
        file.writestr(f"{name}.py", "")
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


def installed(folder: Path, *requirements: Requirement) -> list[str]:
    """Install requirements, and return the names of those that were built."""
    lock = Lock(requirements, (f"--find-links {folder}",))
    return install(lock, ARM, Path(sys.executable), folder / "target", folder)


def test_a_pure_package_without_a_wheel_is_built(tmp_path):
    found = sdist(tmp_path, "purepackage")

    assert installed(tmp_path, found) == ["purepackage"]
    assert (tmp_path / "target" / "purepackage.py").exists()


def test_a_package_with_an_extension_and_without_a_wheel_is_named(tmp_path):
    found = sdist(tmp_path, "fastpackage", compiles=True)

    with pytest.raises(
        PackageError, match=r"fastpackage has no wheel for arm64 and Python 3\.13"
    ):
        installed(tmp_path, found)


@pytest.mark.parametrize("name", ["psycopg2", "mysqlclient"])
def test_a_driver_without_a_wheel_is_refused_with_one_that_has_it(name, tmp_path):
    # Not built, even if that seems to succeed.
    found = sdist(tmp_path, name)

    with pytest.raises(PackageError, match=rf"{name} has no wheel .* in its place"):
        installed(tmp_path, found)


def test_another_hash_than_that_of_the_lock_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("UV_NO_VERIFY_HASHES", "true")
    wheel(tmp_path, "wheelpackage")
    found = Requirement("wheelpackage", "==1.0", hashes=("sha256:" + "0" * 64,))

    with pytest.raises(PackageError, match=r"(?i)hash mismatch"):
        installed(tmp_path, found)


def test_a_package_without_a_hash_among_others_is_named(tmp_path):
    with pytest.raises(PackageError, match="bare has no hash in the lock file"):
        installed(
            tmp_path,
            Requirement("locked", "==1.0", hashes=("sha256:0",)),
            Requirement("bare", "==1.0"),
        )


def test_wheels_at_an_url_and_local_projects_are_installed(tmp_path):
    path = wheel(tmp_path, "wheelpackage")
    folder = project(tmp_path, "localpackage")

    built = installed(
        tmp_path,
        Requirement("wheelpackage", f"{path.as_uri()}"),
        Requirement("localpackage", folder.as_uri()),
    )

    assert built == ["localpackage"]
    assert (tmp_path / "target" / "wheelpackage.py").exists()
    assert (tmp_path / "target" / "localpackage.py").exists()


def test_an_unknown_package_is_reported_with_the_message_of_uv(tmp_path):
    lock = Lock((Requirement("nowhere", "==1.0"),), ("--no-index",))

    with pytest.raises(PackageError, match=r"(?s)packages for arm64:.*nowhere"):
        install(lock, ARM, Path(sys.executable), tmp_path / "target", tmp_path)
