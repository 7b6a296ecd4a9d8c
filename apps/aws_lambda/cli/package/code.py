"""The project's part of a package: an allow-list of code, and static files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from .. import FOLDER
from .configuration import Configuration, PackageError

# What a Django app reads at run time. Files of another kind are listed.
KINDS = {".html", ".json", ".mo", ".py", ".sql", ".txt", ".xml"}
# For developers. An app's folder "test" is for the tests of its users.
EXCLUDED = {"__pycache__", "node_modules", "py.typed", "test", "tests"}


def copy_code(root: Path, configuration: Configuration, target: Path) -> list[str]:
    """
    Copy the project's code, and return the names of the files that were left out.

    Static files of any kind are copied: `collectstatic` reads them there, and
    `leave_out_static` removes them again. Symbolic links are left out, because they
    may lead out of the project. Raises PackageError for a name that does not exist.
    """
    left_out = []
    for name in configuration.code:
        for path in walk(root / name):
            relative = path.relative_to(root)
            if relative.is_relative_to(FOLDER):
                continue
            static = "static" in relative.parts
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.is_symlink() or hidden or not (static or path.suffix in KINDS):
                left_out.append(str(relative))
            else:
                copy(path, target / relative)
    for name in configuration.files:
        if not (root / name).is_file():
            raise PackageError(
                f"{root / name} does not exist. Create it, or remove it from `files` "
                "in pyproject.toml, [tool.package]."
            )
        copy(root / name, target / name)
    return sorted(left_out)


def walk(path: Path) -> Iterator[Path]:
    if path.is_dir() and not path.is_symlink():
        for child in sorted(path.iterdir()):
            if child.name not in EXCLUDED:
                yield from walk(child)
    elif path.exists() or path.is_symlink():
        yield path
    else:
        raise PackageError(
            f"{path} does not exist. Create it, or remove it from `code` in "
            "pyproject.toml, [tool.package]."
        )


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def collect_static(target: Path) -> None:
    """
    Run `collectstatic` in the package, as the stage `local`: without any secret.

    Raises PackageError with the end of its output.
    """
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "ENV_FILE": os.devnull,
        "STAGE": "local",
        "STATIC_ROOT": str(target / "staticfiles"),
        "DJANGO_SETTINGS_MODULE": "project.settings",
    }
    process = subprocess.run(
        [sys.executable, "-B", "-m", "django", "collectstatic", "--no-input"],
        cwd=target,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        lines = (process.stderr or process.stdout).strip().splitlines()
        raise PackageError("collectstatic failed:\n" + "\n".join(lines[-15:]))


def leave_out_static(target: Path) -> None:
    """Remove what `collectstatic` read: WhiteNoise serves what it wrote."""
    for folder in sorted(target.rglob("static")):
        if folder.is_dir() and folder.parent != target / "staticfiles":
            shutil.rmtree(folder)
