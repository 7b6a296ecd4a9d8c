"""Find the tests of installed packages that no other module uses."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

FOLDERS = ("test", "tests")
# Modules that only a test run or an installation loads.
NOT_IMPORTED = {"conftest.py", "setup.py", "tests.py"}
MENTION = re.compile(rb"\btests?\b")
# The name of a module or of a file, and not prose.
NAME = re.compile(r"[\w./\\-]+")


def unused_tests(
    target: Path, files: Collection[PurePosixPath], modules: Iterable[str]
) -> list[Path]:
    """
    Return the folders `test` and `tests` among installed files that nothing mentions.

    One stays if it has a file of the site, if one of the loaded ``modules`` is in it,
    or if a module outside of such folders, an extension or an entry point mentions it:
    django.test, which management commands import, or an app in INSTALLED_APPS.
    """
    unused = {
        ".".join(folder.parts): target / folder
        for folder in outermost(files)
        if belongs_to_a_package(target, folder, files)
    }
    folders = set(unused.values())
    found = {name for module in modules for name in packages(module)}
    waiting = [
        path
        for path in target.rglob("*")
        if (path.suffix in (".py", ".so") or path.name == "entry_points.txt")
        and path.name not in NOT_IMPORTED
        and folders.isdisjoint(path.parents)
    ]
    while waiting:
        for path in waiting:
            found |= mentioned(path, PurePosixPath(path.relative_to(target)), unused)
        kept = [unused.pop(name) for name in found & unused.keys()]
        # A folder that stays may mention others.
        waiting = [path for folder in kept for path in folder.rglob("*.py")]
    return sorted(unused.values())


def outermost(files: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    """Return the folders of tests, without those inside of another one."""
    folders = set()
    for name in files:
        for index, part in enumerate(name.parts[:-1], 1):
            if part in FOLDERS:
                folders.add(PurePosixPath(*name.parts[:index]))
                break
    return folders


def belongs_to_a_package(
    target: Path, folder: PurePosixPath, files: Collection[PurePosixPath]
) -> bool:
    return all(
        PurePosixPath(path.relative_to(target)) in files
        for path in (target / folder).rglob("*")
        if path.is_file()
    )


def mentioned(path: Path, name: PurePosixPath, folders: Iterable[str]) -> set[str]:
    """Return dotted names that a file imports or has in strings, with others."""
    content = path.read_bytes()
    if not MENTION.search(content):
        return set()
    if path.suffix != ".py":
        return {dotted for dotted in folders if dotted.encode() in content}
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        # For another version of Python, or not a module.
        return {dotted for dotted in folders if dotted.startswith(f"{name.parts[0]}.")}
    found = {package for module in imports(tree, name) for package in packages(module)}
    for word in words(tree):
        parts = [part for part in re.split(r"[./\\]", word) if part]
        for index, part in enumerate(parts, 1):
            if part in FOLDERS:
                # Of a module, or of a file below a folder of this one.
                for depth in range(len(name.parts)):
                    found.add(".".join([*name.parts[:depth], *parts[:index]]))
    return found


def imports(tree: ast.AST, name: PurePosixPath) -> Iterator[str]:
    """Yield the dotted names that a module may import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = name.parts[: -node.level] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def packages(module: str) -> Iterator[str]:
    """Yield a dotted name, and those of the packages that it is in."""
    parts = module.split(".")
    return (".".join(parts[:index]) for index in range(1, len(parts) + 1))


def words(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a module that may be names of modules or of files."""
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and NAME.fullmatch(value):
            yield value
