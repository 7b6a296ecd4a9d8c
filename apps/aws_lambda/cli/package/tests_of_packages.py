"""Find the tests of installed packages that no other module uses."""

import ast
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath

NAMES = ("test", "tests")
MENTION = re.compile(rb"\btests?\b")
# A name or a path, not prose.
WORD = re.compile(r"[\w./\\-]+")


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
        ".".join(folder.parts): folder
        for folder in outermost(files)
        if belongs_to_a_package(target, folder, files)
    }
    folders = {target / folder for folder in unused.values()}
    kept = {name for name in unused if any(inside(module, name) for module in modules)}
    waiting = [
        path
        for path in target.rglob("*")
        if (path.suffix in (".py", ".so") or path.name == "entry_points.txt")
        and folders.isdisjoint(path.parents)
    ]
    while unused and (waiting or kept):
        # A folder that stays may mention others.
        for name in kept:
            waiting += (target / unused.pop(name)).rglob("*.py")
        kept = set()
        for path in waiting:
            kept |= mentioned(path, PurePosixPath(path.relative_to(target)), unused)
        waiting = []
    return sorted(target / folder for folder in unused.values())


def outermost(files: Iterable[PurePosixPath]) -> set[PurePosixPath]:
    """Return the folders of tests, without those inside of another one."""
    folders = set()
    for name in files:
        for index, part in enumerate(name.parts[:-1], 1):
            if part in NAMES:
                folders.add(PurePosixPath(*name.parts[:index]))
                break
    return folders


def belongs_to_a_package(
    target: Path, folder: PurePosixPath, files: Collection[PurePosixPath]
) -> bool:
    return all(
        PurePosixPath(path.relative_to(target).as_posix()) in files
        for path in (target / folder).rglob("*")
        if path.is_file()
    )


def mentioned(
    path: Path, name: PurePosixPath, folders: dict[str, PurePosixPath]
) -> set[str]:
    """Return the folders, by dotted names, that a file imports or has in a string."""
    content = path.read_bytes()
    if not MENTION.search(content):
        return set()
    if path.suffix != ".py":
        return {dotted for dotted in folders if dotted.encode() in content}
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        # A template of code, or a module for another version of Python.
        return {dotted for dotted in folders if of_one_package(name, dotted)}
    strings = {*words(tree)}
    parts = {part for word in strings for part in re.split(r"[./\\]", word)}
    found = {*imports(tree, name), *strings}
    return {
        dotted
        for dotted in folders
        if any(inside(module, dotted) for module in found)
        # By a name or a path that the package makes itself.
        or (dotted.rpartition(".")[2] in parts and of_one_package(name, dotted))
    }


def imports(tree: ast.AST, name: PurePosixPath) -> Iterator[str]:
    """Yield the dotted names that a module may import."""
    package = name.parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def words(tree: ast.AST) -> Iterator[str]:
    """Yield the strings of a module that may be names of modules or of files."""
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Constant) else None
        if isinstance(value, str) and WORD.fullmatch(value):
            yield value


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def of_one_package(name: PurePosixPath, dotted: str) -> bool:
    return name.parts[0].removesuffix(".py") == dotted.partition(".")[0]
