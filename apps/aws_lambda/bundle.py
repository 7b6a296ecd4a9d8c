"""
The code bundle: one file with the bytecode of the modules that the handlers import.

Python asks the file system some ten times for each module of a package. From the
bundle it takes one question. importlib still makes the modules: it only learns where
a module is, and gets the bytes of its .pyc file, without reading the folders.

`package` writes the bundle (docs/package.md#the-code-bundle). The first line is JSON:
the build ID, Python's magic number, the number of modules and the sizes of the two
parts that follow. They are the marshalled index, a dict of name: Entry, and the .pyc
files.
"""

import json
import marshal
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER, spec_from_file_location
from types import ModuleType
from typing import Any, NamedTuple

# At the root of the package, beside build.json.
FILE = "bytecode.bundle"
MANIFEST = "build.json"
# "false" switches it off.
VARIABLE = "LAMBDA_CODE_BUNDLE"
# The flags of a hash-based .pyc file that is compared with its source.
# https://peps.python.org/pep-0552/
CHECKED_HASH = (0b11).to_bytes(4, "little")


class BundleError(Exception):
    """Why a code bundle is not used, and what to do."""


class Entry(NamedTuple):
    """
    A module in a bundle: two paths from the root of the package, and sizes in bytes.

    ``offset`` counts from the first .pyc file in the bundle.
    """

    source: str
    source_size: int
    cached: str
    offset: int
    size: int


class Bundle:
    """The bundle of the package in ``root``, read and checked against build.json."""

    def __init__(self, root: str, magic: bytes = MAGIC_NUMBER) -> None:
        """Raise FileNotFoundError without a bundle, and BundleError for a wrong one."""
        self.root = root
        path = os.path.join(root, FILE)
        with open(path, "rb") as file:
            # The last file of an archive: no other one is newer.
            self.written = os.fstat(file.fileno()).st_mtime
            content = file.read()
        try:
            head, _, _ = content.partition(b"\n")
            facts = json.loads(head)
            with open(os.path.join(root, MANIFEST), "rb") as file:
                manifest = json.load(file)
            expected = manifest["build_id"], manifest["bundled"], magic.hex()
            found = facts["build_id"], facts["modules"], facts["magic"]
            start = len(head) + 1 + facts["index"]
            sizes = start + facts["bytecode"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise wrong(path, f"cannot be read: {error!r}") from None
        if found != expected:
            names = ("build ID", "number of modules", "magic number of Python")
            differs = [
                f"{name} {value}, not {other}"
                for name, value, other in zip(names, found, expected, strict=True)
                if value != other
            ]
            raise wrong(path, f"has the {' and the '.join(differs)}")
        if len(content) != sizes:
            raise wrong(path, f"has {len(content)} bytes, not {sizes}")
        index: dict[str, Any] = marshal.loads(content[len(head) + 1 : start])  # noqa: S302
        self.entries = {name: Entry(*entry) for name, entry in index.items()}
        self.bytecode = memoryview(content)[start:]

    def pyc(self, entry: Entry) -> bytes:
        """Return the .pyc file of a module."""
        return bytes(self.bytecode[entry.offset : entry.offset + entry.size])


def wrong(path: str, reason: str) -> BundleError:
    return BundleError(
        f"The code bundle {path} {reason}. Modules are loaded from their own files, "
        "which is slower. Build the package again."
    )


class BundleFinder:
    """Find the modules of a bundle where PathFinder would, without its system calls."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a module's spec, or None for PathFinder to find it."""
        entry = self.bundle.entries.get(fullname)
        if entry is None:
            return None
        location = f"{self.bundle.root}/{entry.source}"
        folder, _, file = location.rpartition("/")
        locations = None
        if file == "__init__.py":
            locations = [folder]
            folder = folder.rpartition("/")[0]
        # PathFinder takes the first folder that has the module.
        if folder != next(iter(sys.path if path is None else path), None):
            return None
        return spec_from_file_location(
            fullname,
            location,
            loader=BundleLoader(fullname, location, self.bundle, entry),
            submodule_search_locations=locations,
        )


class BundleLoader(SourceFileLoader):
    """Load a module with the .pyc file that a bundle has, as if it had been read."""

    def __init__(self, fullname: str, path: str, bundle: Bundle, entry: Entry) -> None:
        super().__init__(fullname, path)
        self.bundle = bundle
        self.entry = entry
        self.edited = False

    def path_stats(self, path: str) -> dict[str, Any]:
        """Return the time and the size of the source, and notice an edit."""
        stats = super().path_stats(path)
        self.edited = (
            stats["size"] != self.entry.source_size
            or stats["mtime"] > self.bundle.written
        )
        return stats

    def get_data(self, path: str) -> bytes:
        """Return the content of a file. The .pyc file comes from the bundle."""
        if path != f"{self.bundle.root}/{self.entry.cached}":
            return super().get_data(path)
        pyc = self.bundle.pyc(self.entry)
        if self.edited:
            # Python compares its hash with the source, and compiles that if it differs.
            pyc = pyc[:4] + CHECKED_HASH + pyc[8:]
        return pyc


def install() -> str:
    """
    Load modules from the bundle of this package, from now on.

    Returns why that is not so, as a sentence for the log. "" if it is, or if there is
    no bundle, or if it is switched off.
    """
    switch = os.environ.get(VARIABLE, "true").lower()
    if switch not in ("true", "false"):
        return (
            f"The variable {VARIABLE} is {switch!r}, and must be true or false. The "
            "code bundle is not used. Correct it in the environment of the function."
        )
    root = os.environ.get("LAMBDA_TASK_ROOT")
    if switch == "false" or not root or PathFinder not in sys.meta_path:
        return ""
    try:
        finder = BundleFinder(Bundle(root))
    except FileNotFoundError:
        return ""
    except BundleError as error:
        return str(error)
    sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)
    return ""
