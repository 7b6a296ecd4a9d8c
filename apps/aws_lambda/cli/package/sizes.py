"""The size of a package, and Lambda's limits."""

import zipfile
from collections import Counter
from pathlib import Path

from ..configuration import FILE
from . import PackageError

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_UNZIPPED_BYTES = 250 * 1024 * 1024
MAX_DIRECT_UPLOAD_BYTES = 50 * 1024 * 1024
WARNING_SHARE = 0.8
MB = 1_000_000


def sizes(archive: Path) -> tuple[Counter[str], Counter[str]]:
    """Return the bytes of each top-level entry of an archive, unzipped and zipped."""
    unzipped, zipped = Counter[str](), Counter[str]()
    with zipfile.ZipFile(archive) as file:
        for entry in file.infolist():
            part = entry.filename.partition("/")[0]
            unzipped[part] += entry.file_size
            zipped[part] += entry.compress_size
    return unzipped, zipped


def size_table(archive: Path, rows: int = 10) -> str:
    """Return the largest parts of an archive and its total, in MB, as text."""
    unzipped, zipped = sizes(archive)
    lines = [f"{'MB':24} unzipped   zipped"]
    for part, size in unzipped.most_common(rows):
        lines.append(f"{part:24} {size / MB:8.1f} {zipped[part] / MB:8.1f}")
    total = unzipped.total(), archive.stat().st_size
    lines.append(f"{'total':24} {total[0] / MB:8.1f} {total[1] / MB:8.1f}")
    return "\n".join(lines)


def check_limits(unzipped: Counter[str], zipped: int) -> list[str]:
    """
    Return warnings for sizes, in bytes, near Lambda's limits.

    ``unzipped`` are the sizes of the parts. Raises PackageError above the limit that
    applies to every way of uploading.
    """
    total = unzipped.total()
    largest = ", ".join(
        f"{part} ({size / MB:.0f} MB)" for part, size in unzipped.most_common(3)
    )
    advice = (
        f"The largest parts are {largest}. Remove packages that the site does not need "
        f"from its lock file, or exclude files with `leave-out` in {FILE}."
    )
    if total > MAX_UNZIPPED_BYTES:
        raise PackageError(
            f"The package has {total / MB:.0f} MB unzipped, and Lambda's limit is "
            f"{MAX_UNZIPPED_BYTES / MB:.0f} MB. {advice}"
        )
    warnings = []
    if total > MAX_UNZIPPED_BYTES * WARNING_SHARE:
        warnings.append(
            f"The package has {total / MB:.0f} MB unzipped, near Lambda's limit of "
            f"{MAX_UNZIPPED_BYTES / MB:.0f} MB. {advice}"
        )
    if zipped > MAX_DIRECT_UPLOAD_BYTES * WARNING_SHARE:
        warnings.append(
            f"The package has {zipped / MB:.0f} MB zipped. Above "
            f"{MAX_DIRECT_UPLOAD_BYTES / MB:.0f} MB Lambda takes it from S3 only, from "
            f"where serverless and SAM deploy it. {advice}"
        )
    return warnings
