"""A finished folder as one archive: bytecode, build manifest, zip, sizes."""

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from .configuration import PackageError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED_LIMIT = 250 * 1024 * 1024
DIRECT_UPLOAD_LIMIT = 50 * 1024 * 1024
NEAR = 0.8
MB = 1_000_000
# Where Lambda puts the package: tracebacks show these paths.
TASK_ROOT = "/var/task"


def compile_all(target: Path) -> None:
    """
    Compile every module to bytecode that is valid whatever the files' times are.

    Lambda's disk is read-only, and the times in the archive are fixed: bytecode
    that is compared with its source by time would be compiled anew at each cold
    start. https://docs.python.org/3/library/py_compile.html#py_compile.PycInvalidationMode

    One process and a fixed hash seed make the same bytes each time.
    """
    command = [sys.executable, "-m", "compileall", "-q", "-j", "1"]
    command += ["-s", str(target), "-p", TASK_ROOT]
    process = subprocess.run(
        [*command, "--invalidation-mode", "unchecked-hash", str(target)],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise PackageError(f"A module does not compile:\n{process.stdout.strip()}")


def files(target: Path) -> list[Path]:
    """Return the files of a folder in one order on every machine."""
    found = (path for path in target.rglob("*") if path.is_file())
    return sorted(found, key=lambda path: path.relative_to(target).as_posix())


def write_manifest(target: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """
    Write build.json: what this is made of, and an ID that follows from the content.

    It holds no time: the same content is the same build.
    """
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for path in files(target):
        digest.update(path.relative_to(target).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    manifest = {"build_id": digest.hexdigest()[:16], **facts}
    text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
    (target / "build.json").write_text(text)
    return manifest


def write_zip(target: Path, archive: Path) -> None:
    """
    Write the archive, the same bytes for the same files.

    Names are sorted and times fixed. The function runs as another user than the
    one who builds, so everybody may read. It appears complete or not at all.
    """
    archive.parent.mkdir(parents=True, exist_ok=True)
    part = archive.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        for path in files(target):
            name = path.relative_to(target).as_posix()
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, so that the mode counts
            mode = 0o755 if ".so" in path.suffixes else 0o644
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, path.read_bytes(), compresslevel=9)
    part.replace(archive)


def sizes(archive: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the bytes of each part of an archive, unzipped and zipped."""
    unzipped, zipped = Counter[str](), Counter[str]()
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            part = entry.filename.partition("/")[0]
            unzipped[part] += entry.file_size
            zipped[part] += entry.compress_size
    return unzipped, zipped


def size_table(archive: Path, rows: int = 10) -> str:
    """Return the largest parts of an archive and the whole, in MB, as text."""
    unzipped, zipped = sizes(archive)
    lines = [f"{'MB':24} unzipped   zipped"]
    for part, size in unzipped.most_common(rows):
        lines.append(f"{part:24} {size / MB:8.1f} {zipped[part] / MB:8.1f}")
    whole = unzipped.total(), archive.stat().st_size
    lines.append(f"{'all':24} {whole[0] / MB:8.1f} {whole[1] / MB:8.1f}")
    return "\n".join(lines)


def check_limits(unzipped: int, zipped: int) -> list[str]:
    """Return warnings near Lambda's limits; raise PackageError above the hard one."""
    advice = (
        "Look at the largest parts: take packages that a web request does not need "
        "out of requirements/runtime.in, or leave out files with `leave-out` in "
        "pyproject.toml, [tool.package]."
    )
    if unzipped > UNZIPPED_LIMIT:
        raise PackageError(
            f"The package has {unzipped / MB:.0f} MB unzipped, and Lambda takes "
            f"{UNZIPPED_LIMIT / MB:.0f} MB. {advice}"
        )
    warnings = []
    if unzipped > UNZIPPED_LIMIT * NEAR:
        warnings.append(
            f"The package has {unzipped / MB:.0f} MB unzipped, near Lambda's limit of "
            f"{UNZIPPED_LIMIT / MB:.0f} MB. {advice}"
        )
    if zipped > DIRECT_UPLOAD_LIMIT * NEAR:
        warnings.append(
            f"The package has {zipped / MB:.0f} MB zipped. Above "
            f"{DIRECT_UPLOAD_LIMIT / MB:.0f} MB Lambda takes it from S3 only, from "
            f"where serverless and SAM deploy it. {advice}"
        )
    return warnings
