"""
The files of the configuration, which are read when the site starts, and not again.

All other files of the site are read by each new execution environment, which the plugin
in serverless/offline starts when one of them is saved.
"""

import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .. import ROOT
from ..configuration import FILE

NAMES = ("serverless.yml", FILE)
# The files in which sites keep variables: not `.env` as a virtual environment.
PATTERNS = (*NAMES, ".env*", ".envs/**/*")


class ConfigurationFiles:
    """The state of the files when they were last compared."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.state = self._read()

    def changed(self) -> Sequence[str]:
        """Return the names of the files that changed since the last call."""
        before, self.state = self.state, self._read()
        return sorted({name for name, _ in before ^ self.state})

    def wait(self) -> Sequence[str]:
        """Wait until a file changes, and return the names."""
        while not (names := self.changed()):
            time.sleep(0.1)
        return names

    def _read(self) -> set[tuple[str, tuple[int, int, int]]]:
        state = set()
        for pattern in PATTERNS:
            for path in self.root.glob(pattern):
                # Editors replace files.
                with suppress(OSError):
                    if path.is_file():
                        stat = path.stat()
                        name = path.relative_to(self.root).as_posix()
                        state.add((name, (stat.st_mtime_ns, stat.st_size, stat.st_ino)))
        return state
