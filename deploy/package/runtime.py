"""A package as Lambda has it: unpacked, read-only, beside Lambda's own libraries."""

import ast
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution, requires
from pathlib import Path

from local.execution_environment import ExecutionEnvironment

# What the managed runtime has besides the standard library.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
RUNTIME = ("awslambdaric", "boto3")


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Unpack an archive for the block, into folders in which nothing can be made."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "task"
        with zipfile.ZipFile(archive) as file:
            file.extractall(root)  # made by us
        chmod_folders(root, 0o555)
        try:
            yield root
        finally:
            chmod_folders(root, 0o755)


def chmod_folders(root: Path, mode: int) -> None:
    """Change the mode of a folder and of all folders in it."""
    for folder in (root, *root.rglob("*/")):
        folder.chmod(mode)


def snapshot(root: Path) -> dict[Path, tuple[int, int]]:
    """Return the time and the size of all that is there: root may write to anything."""
    return {
        path: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in (root, *root.rglob("*"))
    }


@contextmanager
def lambda_runtime() -> Iterator[Path]:
    """Link the libraries of Lambda's runtime into a folder of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in closure(RUNTIME):
            installed = distribution(name)
            parts = {file.parts[0] for file in installed.files or ()}
            for part in sorted(parts - {"..", "__pycache__"}):
                (folder / part).symlink_to(str(installed.locate_file(part)))
        yield folder


def closure(names: tuple[str, ...]) -> set[str]:
    """Return the distributions of these names and all that they need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            for requirement in requires(name) or ():
                if "extra ==" not in requirement:
                    waiting += re.findall(r"^[\w.-]+", requirement)
    return found


def handlers(root: Path) -> list[str]:
    """Return the names that lambda_entry gives to what it gets from `handlers`."""
    tree = ast.parse((root / "lambda_entry.py").read_text())
    return [
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).startswith("handlers.")
        for target in node.targets
        if isinstance(target, ast.Name)
    ]


def environment(
    root: Path, runtime: Path, handler: str, variables: dict[str, str]
) -> ExecutionEnvironment:
    """Return an execution environment in which only the package can be imported."""
    client = Path(__file__).with_name("runtime_client.py")
    return ExecutionEnvironment(
        variables,
        handler=f"lambda_entry.{handler}",
        task_root=root,
        client=(sys.executable, "-I", "-S", str(client), str(runtime)),
    )
