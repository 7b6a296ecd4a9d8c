"""Run a package as Lambda does: unpacked, read-only, with the runtime's libraries."""

import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import distribution, requires
from pathlib import Path

from ..lambda_service import ExecutionEnvironment

# What the managed runtime has besides the standard library.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
RUNTIME = ("awslambdaric", "boto3")


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Unpack an archive for the block, into read-only folders."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "task"
        with zipfile.ZipFile(archive) as file:
            file.extractall(root)
        chmod_folders(root, 0o555)
        try:
            yield root
        finally:
            chmod_folders(root, 0o755)


def chmod_folders(root: Path, mode: int) -> None:
    """Change the mode of a folder and of all folders below it."""
    for folder in (root, *root.rglob("*/")):
        folder.chmod(mode)


@contextmanager
def lambda_runtime() -> Iterator[Path]:
    """Link the libraries of Lambda's runtime into a folder of their own."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in with_dependencies(RUNTIME):
            installed = distribution(name)
            parts = {file.parts[0] for file in installed.files or ()}
            for part in sorted(parts - {"..", "__pycache__"}):
                (folder / part).symlink_to(str(installed.locate_file(part)))
        yield folder


def with_dependencies(names: tuple[str, ...]) -> set[str]:
    """Return the names of these distributions and of all that they require."""
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


def environment(
    root: Path, runtime: Path, handler: str, variables: dict[str, str]
) -> ExecutionEnvironment:
    """
    Return an execution environment that can import only the package.

    ``root`` is the unpacked package, ``runtime`` the folder of `lambda_runtime`, and
    ``handler`` a name in lambda_entry.
    """
    client = Path(__file__).with_name("runtime_client.py")
    return ExecutionEnvironment(
        variables,
        handler=f"lambda_entry.{handler}",
        task_root=root,
        client=(sys.executable, "-I", "-S", str(client), str(runtime)),
    )
