"""The site that the commands work on, and the interpreter that runs it."""

import os
import sys
from pathlib import Path


def find_python(root: Path) -> Path:
    """
    Return the interpreter that has the site's packages.

    It is that of the active virtual environment, else of ``.venv`` in ``root``, else
    the one that runs this command.
    """
    folders = [Path(os.environ.get("VIRTUAL_ENV") or root / ".venv"), root / ".venv"]
    candidates = [folder / "bin" / "python" for folder in folders]
    return next((c for c in candidates if c.exists()), Path(sys.executable))
