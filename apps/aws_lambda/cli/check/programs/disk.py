"""The disk of a function: its code is read-only."""

import os
import sys
from errno import EROFS
from pathlib import Path
from typing import Any

WRITING = os.O_WRONLY | os.O_RDWR
# Events whose first argument is a path, which they change.
CHANGES = ("os.mkdir", "os.remove", "os.rename", "os.rmdir")


# Folders in the code that a function has elsewhere.
_writable: list[Path] = []


def make_writable(folder: Path) -> None:
    """Allow this process to write in a folder in spite of `make_read_only`."""
    _writable.append(folder.absolute())


def make_read_only(folder: Path) -> None:
    """
    Raise OSError, as on Lambda, for what this process writes in a folder.

    What exists on this machine only is not hidden.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & WRITING:
                return
        elif event not in CHANGES:
            return
        if not isinstance(arguments[0], (str, bytes, os.PathLike)):
            return
        path = Path(os.path.abspath(os.fsdecode(arguments[0])))
        if not path.is_relative_to(folder):
            return
        if any(map(path.is_relative_to, _writable)):
            return
        # Of a folder that exists, Linux says so first.
        if event != "os.mkdir" or not path.exists():
            raise OSError(EROFS, os.strerror(EROFS), str(path.relative_to(folder)))

    sys.addaudithook(hook)
