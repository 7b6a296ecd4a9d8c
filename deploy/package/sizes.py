"""What a package weighs, and what Lambda takes."""

import zipfile
from collections import Counter
from pathlib import Path

from .configuration import PackageError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
UNZIPPED_LIMIT = 250 * 1024 * 1024
DIRECT_UPLOAD_LIMIT = 50 * 1024 * 1024
NEAR = 0.8
MB = 1_000_000


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
