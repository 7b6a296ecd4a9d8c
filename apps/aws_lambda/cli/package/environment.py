"""The site's environment: its interpreter, and the packages that it has."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from . import PackageError
from .platform import version_of

LIST = """
import json
from importlib.metadata import distributions
print(json.dumps([[d.name, d.version] for d in distributions() if d.name]))
"""
# The command that installs the versions of a lock file.
SYNC = {
    "uv.lock": "uv sync",
    "poetry.lock": "poetry sync",
    "Pipfile.lock": "pipenv sync",
    "pyproject.toml": "pip install --upgrade .",
}


@dataclass(frozen=True)
class Environment:
    """An interpreter, and the versions of its packages by their normalized names."""

    python: Path
    packages: Mapping[str, str]

    @classmethod
    def read(cls, python: Path) -> "Environment":
        """List the packages of an interpreter. Raises PackageError if it fails."""
        version_of(python)
        output = subprocess.check_output([python, "-I", "-c", LIST], text=True)
        # The first of two distributions is the one that is imported.
        found: dict[str, str] = {
            canonicalize_name(name): pin for name, pin in reversed(json.loads(output))
        }
        return cls(python, found)

    def check(self, pins: Iterable[tuple[str, str]], lock: str) -> None:
        """
        Raise PackageError if a version differs from the package's.

        collectstatic runs here, and its result must match the deployed packages.
        ``pins`` are names and versions of the file ``lock``.
        """
        for name, wanted in pins:
            present = self.packages.get(name, "missing")
            if present != wanted:
                sync = SYNC.get(Path(lock).name, f"pip install --requirement {lock}")
                raise PackageError(
                    f"{name} is {present} in the site's environment ({self.python}), "
                    f"but {wanted} in {lock}. Run: {sync}"
                )
