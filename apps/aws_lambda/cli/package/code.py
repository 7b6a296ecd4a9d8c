"""The site's part of a package: what git tracks in the configured folders."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from .. import configuration as toml
from ..configuration import Configuration
from . import PackageError

TRACKED = ("--cached", "--recurse-submodules")
LINK = "a symbolic link out of the tracked files"


def copy_code(root: Path, configuration: Configuration, target: Path) -> list[str]:
    """
    Copy the site's code, and return the names of what was left out, with the reason.

    Templates, fixtures and data files may have any suffix, so every tracked file is
    code. Hidden files are not. What git does not track is reported, because a new file
    may have been forgotten. Raises PackageError for a name that does not exist, or
    without git.
    """
    left_out = []
    for name in configuration.code:
        tracked = tracked_files(root, name)
        if not (root / name).exists():
            raise PackageError(missing(root / name, "code"))
        if not tracked.files and not tracked.links:
            raise PackageError(
                f"git tracks no file in {root / name}, which `code` in {toml.FILE} "
                f"names, and only tracked files are packaged. Run: git add {name}"
            )
        left_out += [f"{link} ({LINK})" for link in tracked.links]
        for file in tracked.files:
            if any(part.startswith(".") for part in Path(file).parts):
                left_out.append(f"{file} (hidden)")
            else:
                copy(root / file, target / file)
        others = list_files(root, name, "--others", "--exclude-standard")
        left_out += [f"{file} (not in git)" for file in others]
    for name in configuration.files:
        if (root / name).is_dir():
            shutil.copytree(
                root / name, target / name, symlinks=True, dirs_exist_ok=True
            )
        elif (root / name).is_file():
            copy(root / name, target / name)
        else:
            raise PackageError(missing(root / name, "files"))
    return sorted(left_out)


class Tracked(NamedTuple):
    """Tracked files below a folder, and symbolic links to what git does not track."""

    files: list[str]
    links: list[str]


def tracked_files(root: Path, name: str) -> Tracked:
    """
    Return what git tracks of a file or folder, in submodules too: names below ``root``.

    What a symbolic link in the repository leads to has the names that it has through
    the link. Raises PackageError without git.
    """
    found = Tracked([], [])
    for file in list_files(root, name, *TRACKED):
        path = root / file
        if path.is_symlink():
            behind = linked_files(root, file)
            found.files.extend(behind)
            if not behind:
                found.links.append(file)
        # It may have been deleted, and not yet committed.
        elif path.is_file():
            found.files.append(file)
    return Tracked(sorted({*found.files}), found.links)


def linked_files(root: Path, link: str) -> list[str]:
    """Return the tracked files behind a symbolic link, by their names through it."""
    target = (root / link).resolve()
    top = git(root, "rev-parse", "--show-toplevel").strip()
    # A folder that the link is in has no end.
    around = (root / link).parent.resolve().is_relative_to(target)
    if around or not target.is_relative_to(top):
        return []
    relative = os.path.relpath(target, root.resolve())
    if any(part.startswith(".") and part != ".." for part in Path(relative).parts):
        return []
    return [
        os.path.normpath(os.path.join(link, os.path.relpath(file, relative)))
        for file in list_files(root, relative, *TRACKED)
        if (root / file).is_file() and not (root / file).is_symlink()
    ]


def list_files(root: Path, name: str, *options: str) -> list[str]:
    """Return names of files in a folder, from the root on. Raises PackageError."""
    output = git(root, "ls-files", "-z", *options, "--", name)
    return sorted(filter(None, output.split("\0")))


def git(root: Path, *command: str) -> str:
    """Return the output of git. Raises PackageError without git or a repository."""
    process = run_git(root, "--literal-pathspecs", *command)
    if process.returncode:
        raise PackageError(
            f"{root} cannot be read with git: {process.stderr.strip()}\n"
            "The package has the files that git tracks, so that it has no secret or "
            "database by accident. Run: git init && git add --all"
        )
    return process.stdout


def run_git(root: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run git in a folder. Raises PackageError if it is not installed."""
    try:
        return subprocess.run(
            ["git", "-C", str(root), *command],  # noqa: S607
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
        )
    except FileNotFoundError:
        raise PackageError(
            "git is not installed. The package has the files that git tracks: "
            "https://git-scm.com/downloads"
        ) from None


def missing(path: Path, key: str) -> str:
    return (
        f"{path} does not exist. Create it, or remove it from `{key}` in {toml.FILE}."
    )


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
