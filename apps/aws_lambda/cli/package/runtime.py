"""Run a package as Lambda does: unpacked, read-only, with the runtime's libraries."""

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution, requires
from pathlib import Path

from ..lambda_service import ExecutionEnvironment
from . import PackageError
from .archive import extract
from .platform import find_uv, version_of

# What the managed runtime has besides the standard library.
# https://docs.aws.amazon.com/lambda/latest/dg/python-package.html#python-package-searchpath
RUNTIME = ("awslambdaric", "boto3")


@contextmanager
def unpacked(archive: Path) -> Iterator[Path]:
    """Unpack an archive for the block, into read-only folders."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "task"
        extract(archive, root)
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
def lambda_runtime(python: Path = Path(sys.executable)) -> Iterator[Path]:
    """
    Put the libraries of Lambda's runtime for an interpreter into a folder of their own.

    They are links if this program's environment has them for the same version, and
    otherwise installed. Raises PackageError if that fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        try:
            names = with_dependencies(RUNTIME)
        except PackageNotFoundError:
            names = set()
        if names and version_of(python) == version_of(Path(sys.executable)):
            link(names, folder)
        else:
            install(python, folder)
        yield folder


def link(names: set[str], folder: Path) -> None:
    """Link installed distributions into a folder."""
    for name in names:
        installed = distribution(name)
        parts = {file.parts[0] for file in installed.files or ()}
        for part in sorted(parts - {"..", "__pycache__"}):
            (folder / part).symlink_to(str(installed.locate_file(part)))


def install(python: Path, folder: Path) -> None:
    """Install the runtime's libraries for an interpreter. Raises PackageError."""
    command = [*find_uv(), "pip", "install", "--quiet", "--python", str(python)]
    process = subprocess.run(
        [*command, "--only-binary", ":all:", "--target", str(folder), *RUNTIME],
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise PackageError(
            f"Could not install {' and '.join(RUNTIME)}, with which the package is "
            f"tested:\n{process.stderr.strip()}"
        )


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
    root: Path,
    runtime: Path,
    handler: str,
    variables: dict[str, str],
    python: Path = Path(sys.executable),
    module: str = "lambda_entry",
) -> ExecutionEnvironment:
    """
    Return an execution environment that can import only the package.

    ``root`` is the unpacked package, ``runtime`` the folder of `lambda_runtime`, and
    ``handler`` a name in ``module``. ``python`` runs it.
    """
    client = Path(__file__).with_name("runtime_client.py")
    return ExecutionEnvironment(
        {
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{version_of(python)}",
            "LAMBDA_RUNTIME_DIR": str(runtime),
            # Lambda's file system is read-only.
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        },
        handler=f"{module}.{handler}",
        task_root=root,
        client=(str(python), "-S", str(client)),
    )
