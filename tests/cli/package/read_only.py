"""
Run a program in this process, for which each file system is read-only, as on Lambda.

Usage: read_only.py PROGRAM [ARGUMENT...].
"""

import os
import runpy
import sys
from types import SimpleNamespace


def statvfs(path: str) -> SimpleNamespace:
    return SimpleNamespace(f_flag=os.ST_RDONLY)


def main() -> None:
    del sys.argv[0]
    os.statvfs = statvfs  # type: ignore[assignment]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
