"""
Run a program in this process, and write what it does to a file.

Usage: audited.py FILE PROGRAM [ARGUMENT...]. Each line has the name of an audit event,
and its subject: the name of a module, or the path of a file.
https://docs.python.org/3/library/audit_events.html
"""

import os
import runpy
import sys
from typing import Any

EVENTS = {
    # Of a module that is not imported yet, whether it exists or not.
    "import": 0,
    "open": 0,
    "os.listdir": 0,
    "os.scandir": 0,
    # Of source code; the second is the file name.
    "compile": 1,
}


def main() -> None:
    _, output, *sys.argv = sys.argv
    file = os.open(output, os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        index = EVENTS.get(event)
        if index is not None:
            line = f"{event}\t{arguments[index]}".encode(errors="replace")
            os.write(file, line.replace(b"\n", b" ") + b"\n")

    sys.addaudithook(audit)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
