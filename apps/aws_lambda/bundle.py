"""
The code bundle: one file with the bytecode of the modules that the handlers import.

Python asks the file system some ten times for each module of a package. With the
bundle it asks once, whether the source was edited, and on Lambda not at all. importlib
still makes the modules: it only learns where a module is, and what its code is.

`package` writes the bundle (docs/package.md#the-code-bundle). The first line is JSON:
the build ID, Python's magic number, the number of modules, and the sizes of the two
parts that follow. They are the marshalled index, a dict of name: Entry, and groups: the
marshalled code of modules that each start of the same handlers imports, as a dict of
name: code. Names and constants that many modules have are in a group once, which makes
it a quarter faster to read than its modules one by one.
"""

import json
import marshal
import os
import sys

# With it, importlib puts a module's own path into the code from its .pyc file.
from _imp import _fix_co_filename  # type: ignore[attr-defined]
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import MAGIC_NUMBER, source_hash
from mmap import ACCESS_READ, MADV_WILLNEED, mmap
from types import CodeType, ModuleType

# At the root of the package, beside build.json.
FILE = "bytecode.bundle"
MANIFEST = "build.json"
# "false" switches it off.
VARIABLE = "LAMBDA_CODE_BUNDLE"

# The path of a module's source from the root of the package, the source's size in
# bytes and its hash as in a .pyc file, the path that the .pyc file would have, and the
# offset and size of the module's group, counted from the first one.
Entry = tuple[str, int, bytes, str, int, int]


class BundleError(Exception):
    """Why a code bundle is not used, and what to do."""


class Bundle:
    """The bundle of the package in ``root``, read and checked against build.json."""

    def __init__(self, root: str, magic: bytes = MAGIC_NUMBER) -> None:
        """Raise FileNotFoundError without a bundle, and BundleError for a wrong one."""
        self.root = root
        # As on Lambda. Elsewhere a package may be edited.
        self.read_only = bool(os.statvfs(root).f_flag & os.ST_RDONLY)
        path = os.path.join(root, FILE)
        try:
            with open(path, "rb") as file:
                # The last file of an archive: no other one is newer.
                self.written = os.fstat(file.fileno()).st_mtime
                # Not read: pages of a file are not the process's own memory.
                content = mmap(file.fileno(), 0, access=ACCESS_READ)
            content.madvise(MADV_WILLNEED)
        except FileNotFoundError:
            raise
        except ValueError:
            raise wrong(path, "is empty") from None
        except OSError as error:
            raise wrong(path, f"cannot be read: {error!r}") from None
        try:
            head = json.loads(content.readline())
            start = content.tell()
            end = start + head["index"]
            with open(os.path.join(root, MANIFEST), "rb") as file:
                manifest = json.load(file)
            compare(
                path,
                ("build ID", head["build_id"], manifest["build_id"]),
                ("number of modules", head["modules"], manifest["bundled"]),
                ("magic number of Python", head["magic"], magic.hex()),
                ("size", len(content), end + head["groups"]),
            )
            view = memoryview(content)
            self.index: dict[str, Entry] = marshal.loads(view[start:end])  # noqa: S302
            self.groups = view[end:]
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise wrong(path, f"cannot be read: {error!r}") from None
        # Of modules whose group was read, and that were not imported yet.
        self.waiting: dict[str, CodeType] = {}
        self.read: set[int] = set()

    def code(self, name: str) -> CodeType:
        """Return the code of a module, and keep that of its group for the others."""
        if name in self.waiting:
            return self.waiting.pop(name)
        *_, offset, size = self.index[name]
        group = self.groups[offset : offset + size]
        codes: dict[str, CodeType] = marshal.loads(group)  # noqa: S302
        code = codes.pop(name)
        # A module that is loaded again comes without the others.
        if offset not in self.read:
            self.read.add(offset)
            self.waiting |= codes
        return code


def compare(path: str, *facts: tuple[str, object, object]) -> None:
    """Raise BundleError unless what was found is what was expected."""
    for name, found, expected in facts:
        if found != expected:
            raise wrong(path, f"has the {name} {found}, not {expected}")


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
        """Return the spec of a module, or None for PathFinder to find it."""
        entry = self.bundle.index.get(fullname)
        if entry is None:
            return None
        source, source_size, _, cached, _, _ = entry
        location = f"{self.bundle.root}/{source}"
        folder, _, file = location.rpartition("/")
        is_package = file == "__init__.py"
        parent = folder.rpartition("/")[0] if is_package else folder
        folders = sys.path if path is None else path
        # PathFinder takes the first folder that has the module.
        if parent != next(iter(folders), None) and not is_first(
            fullname, parent, folders
        ):
            return None
        loader = BundleLoader(fullname, location, self.bundle)
        if not self.bundle.read_only:
            try:
                stat = os.stat(location)
            except OSError:
                return None
            resized = stat.st_size != source_size
            loader.perhaps_edited = resized or stat.st_mtime > self.bundle.written
        spec = ModuleSpec(fullname, loader, origin=location, is_package=is_package)
        spec.has_location = True
        spec.cached = f"{self.bundle.root}/{cached}"
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(folder)
        return spec


def is_first(fullname: str, parent: str, folders: Sequence[str]) -> bool:
    """Return whether ``parent`` is the first of the folders that has a module."""
    earlier = list(folders)
    if parent not in earlier:
        return False
    # A site may put a folder of its own before that of the package.
    spec = PathFinder.find_spec(fullname, earlier[: earlier.index(parent)])
    # One without a loader is part of a namespace package, and a module wins.
    return spec is None or spec.loader is None


class BundleLoader(SourceFileLoader):
    """Load a module with the bytecode that a bundle has, unless it was edited."""

    perhaps_edited = False

    def __init__(self, fullname: str, path: str, bundle: Bundle) -> None:
        super().__init__(fullname, path)
        self.bundle = bundle

    def get_code(self, fullname: str) -> CodeType | None:
        """Return the code from the bundle, or that of an edited source."""
        if self.perhaps_edited:
            text = self.get_data(self.path)
            if source_hash(text) != self.bundle.index[fullname][2]:
                return self.source_to_code(text, self.path)
        code = self.bundle.code(fullname)
        # The package was compiled for /var/task, and may be elsewhere.
        _fix_co_filename(code, self.path)
        return code


def install() -> str:
    """
    Load modules from the bundle of this package, from now on.

    Returns why modules are compiled instead, as a sentence for the log. "" if none is,
    or if there is no bundle, or if it is switched off.
    """
    switch = os.environ.get(VARIABLE, "true").lower()
    if switch not in ("true", "false"):
        return (
            f"The variable {VARIABLE} is {switch!r}, and must be true or false. The "
            "code bundle is not used. Correct it in the environment of the function."
        )
    root = os.environ.get("LAMBDA_TASK_ROOT")
    if switch == "false" or not root:
        return ""
    try:
        finder = BundleFinder(Bundle(root))
    except FileNotFoundError:
        return ""
    except BundleError as error:
        return str(error)
    if sys.flags.optimize:
        return (
            f"Python runs with -O or PYTHONOPTIMIZE={sys.flags.optimize}, for which "
            "the package has no bytecode, so the code bundle is not used, and each "
            "cold start compiles all modules. Remove PYTHONOPTIMIZE from the "
            "environment of the function."
        )
    sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)
    if early := compiled_before(finder.bundle):
        return (
            f"Modules of the code bundle were imported before lambda_entry used it: "
            f"{', '.join(early[:5])}, {len(early)} in all. Each cold start compiles "
            "them from their sources. Remove what imports them: a layer, or the "
            "wrapper in AWS_LAMBDA_EXEC_WRAPPER."
        )
    return ""


def compiled_before(bundle: Bundle) -> list[str]:
    """Return the names of modules that were loaded without the bytecode in a bundle."""
    names = []
    for name in sorted(bundle.index.keys() & sys.modules.keys()):
        source, _, _, cached, _, _ = bundle.index[name]
        spec = getattr(sys.modules[name], "__spec__", None)
        if spec is None or isinstance(spec.loader, BundleLoader):
            continue
        is_own = spec.origin == f"{bundle.root}/{source}"
        if is_own and not os.path.exists(f"{bundle.root}/{cached}"):
            names.append(name)
    return names
