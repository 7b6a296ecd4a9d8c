"""A file system in memory for temporary files."""

import os
from pathlib import Path

MEMORY = Path("/dev/shm")  # noqa: S108
MEMORY_NEEDED_BYTES = 4 << 30


def in_memory() -> Path | None:
    """
    Return /dev/shm if it is large enough and programs may run from it, or None.

    A package has 4,700 files, and the suite unpacks a hundred of them.
    """
    if not MEMORY.is_dir():
        return None
    system = os.statvfs(MEMORY)
    free = system.f_bavail * system.f_frsize
    executable = not system.f_flag & os.ST_NOEXEC
    return MEMORY if free >= MEMORY_NEEDED_BYTES and executable else None
