"""
How large the site's dependencies are, unpacked, before anything is built.

The packages that the site has installed give an estimate for nothing: those of Lambda's
Linux differ in their compiled libraries only. Where the estimate exceeds the limit,
Lambda's own are installed into a scratch folder, and measured.
"""

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path
from textwrap import shorten

from packaging.utils import canonicalize_name

from ..package import PackageError
from ..package.dependencies import NEVER_IMPORTED, install
from ..package.locks import Lock
from ..package.platform import Platform
from ..package.sizes import MAX_UNZIPPED_BYTES, MB, WARNING_SHARE
from ..report import write

SEARCH = "import json, sys; print(json.dumps(sys.path))"
# How many packages are named.
LARGEST = 4
# Of a reason in a warning, which is one line.
LONGEST = 300
# The package has bytecode of its own.
NOT_COUNTED = (*NEVER_IMPORTED, "*.pyc")


@dataclass(frozen=True)
class Size:
    """
    Bytes by distribution.

    They are those of Lambda's packages if ``measured``, and else of those that the
    site has installed. ``error`` is why Lambda's could not be installed.
    """

    parts: Counter[str]
    measured: bool = False
    error: str = ""

    @property
    def is_too_large(self) -> bool:
        """Return whether it is certain that no package with them fits into Lambda."""
        return self.measured and self.parts.total() > MAX_UNZIPPED_BYTES

    @property
    def is_near_the_limit(self) -> bool:
        return self.parts.total() > MAX_UNZIPPED_BYTES * WARNING_SHARE

    def __str__(self) -> str:
        largest = ", ".join(
            f"{name} ({megabytes(part)})"
            for name, part in self.parts.most_common(LARGEST)
        )
        return (
            f"{megabytes(self.parts.total())} unpacked, and Lambda's limit is "
            f"{megabytes(MAX_UNZIPPED_BYTES)}. The largest are {largest}"
        )


def megabytes(size: int) -> str:
    return f"{size / MB:.0f} MB"


def size(lock: Lock, platform: Platform, python: Path, root: Path) -> Size:
    """
    Return the size of the packages in ``lock``, which are for the platform.

    ``python`` is the site's interpreter. Lambda's packages are downloaded only if those
    of the site exceed the limit.
    """
    names = {found.name for found in lock.requirements}
    paths = json.loads(subprocess.check_output([python, "-I", "-c", SEARCH], text=True))
    estimate = sizes(paths, names)
    if estimate.total() <= MAX_UNZIPPED_BYTES:
        return Size(estimate)
    write(
        f"The packages of this machine have {megabytes(estimate.total())}: downloading "
        "those for Lambda, to measure them."
    )
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch)
        try:
            install(lock, platform, python, target, root)
        except PackageError as error:
            return Size(estimate, error=shorten(str(error), LONGEST))
        return Size(sizes([scratch], names), measured=True)


def sizes(paths: Iterable[str], names: Iterable[str]) -> Counter[str]:
    """Return the bytes of the distributions with these names, below the paths."""
    found = Counter[str]()
    for distribution in distributions(path=[*paths]):
        name = canonicalize_name(distribution.name or "")
        # The first of two is the one that is imported.
        if name in names and name not in found:
            found[name] = size_of(distribution)
    return found


def size_of(distribution: Distribution) -> int:
    """Return the bytes of a distribution's files that the package would have."""
    total = 0
    for file in distribution.files or ():
        path = Path(str(distribution.locate_file(file)))
        # A script is beside the packages: "../../../bin/django-admin".
        counted = ".." not in file.parts and path.is_file()
        if counted and not any(file.match(pattern) for pattern in NOT_COUNTED):
            total += path.stat().st_size
    return total
