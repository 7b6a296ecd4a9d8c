"""Turn a folder into an archive: bytecode, build manifest, zip."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from ...bundle import FILE, MANIFEST
from ..report import command
from . import PackageError
from .platform import Platform

# Where Lambda unpacks the archive, and so the path in tracebacks.
TASK_ROOT = "/var/task"


def compile_all(target: Path, python: Path) -> None:
    """
    Compile every module to unchecked hash-based bytecode of an interpreter.

    Lambda's file system is read-only and the archive's times are fixed, so bytecode
    that Python validates by time would be recompiled at each cold start.
    https://docs.python.org/3/library/py_compile.html#py_compile.PycInvalidationMode

    A single process and a fixed hash seed give the same bytes each time.
    """
    command = [str(python), "-m", "compileall", "-q", "-j", "1"]
    command += ["-s", str(target), "-p", TASK_ROOT]
    process = subprocess.run(
        [*command, "--invalidation-mode", "unchecked-hash", str(target)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise PackageError(f"compileall failed:\n{process.stdout.strip()}")


def files(target: Path) -> list[Path]:
    """Return the files of a folder, in the same order on every machine."""
    found = (path for path in target.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: path.relative_to(target).as_posix())


def write_manifest(target: Path, facts: dict[str, Any]) -> None:
    """
    Write build.json: the facts, and a build ID that is a digest of the content.

    It contains no time, so the same content has the same ID.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in files(target):
        digest.update(path.relative_to(target).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    manifest = {"build_id": digest.hexdigest()[:16], **facts}
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (target / MANIFEST).write_text(text)


def read_manifest(path: Path, platform: Platform) -> dict[str, Any]:
    """
    Return build.json of an archive that was built for a platform.

    Raises PackageError for any other file.
    """
    advice = f"Build one with: {command('package', arch=platform.arch)}"
    try:
        with zipfile.ZipFile(path) as file:
            manifest: dict[str, Any] = json.loads(file.read(MANIFEST))
        built_for = Platform(manifest["architecture"], manifest["python"])
        str(manifest["build_id"])
    except OSError as error:
        raise PackageError(f"{path}: {error.strerror}. {advice}") from None
    except zipfile.BadZipFile:
        raise PackageError(f"{path} is not a zip archive. {advice}") from None
    except (KeyError, TypeError, ValueError):
        raise PackageError(
            f"{path} contains no build.json written by this program. {advice}"
        ) from None
    if built_for.arch != platform.arch:
        raise PackageError(
            f"{path} is a package for {built_for.arch}, but the functions are "
            f"{platform.arch}: the parameter `architecture` in serverless.yml. {advice}"
        )
    if built_for.python != platform.python:
        raise PackageError(
            f"{path} is a package for Python {built_for.python}, but the functions run "
            f"{platform.python}: `runtime` in serverless.yml. {advice}"
        )
    return manifest


def write_zip(target: Path, archive: Path) -> None:
    """
    Write the archive atomically, with the same bytes for the same files.

    Names are sorted and times fixed. The code bundle is the last, so that no file is
    newer than it where a program unpacks them without their times. The function does
    not run as the user who builds, so every user may read the files, and run libraries
    and scripts. A script is what begins with "#!": a wheel's installer may have dropped
    its mode.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in sorted(files(target), key=lambda path: path == target / FILE):
            name = path.relative_to(target).as_posix()
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, so that the mode applies
            content = path.read_bytes()
            runs = ".so" in path.suffixes or content.startswith(b"#!")
            mode = 0o755 if runs else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, content, compresslevel=9)
    part.replace(archive)


def extract(archive: Path, target: Path) -> None:
    """Unpack an archive with the modes of its files, as Lambda does."""
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            path = Path(file.extract(entry, target))
            if mode := entry.external_attr >> 16 & 0o777:
                path.chmod(mode)


if __name__ == "__main__":
    extract(Path(sys.argv[1]), Path(sys.argv[2]))
