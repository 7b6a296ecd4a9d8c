"""The site's own Python, which has its packages: it may not be the one that runs this."""

import os
import sys
from pathlib import Path


def find_python(root: Path) -> Path:
    """Return the interpreter of the active environment, of .venv, or this one."""
    active = os.environ.get("VIRTUAL_ENV")
    for folder in ([Path(active)] if active else []) + [root / ".venv"]:
        if (python := folder / "bin" / "python").exists():
            return python
    return Path(sys.executable)
