"""
The site's own Python: find it, and ask it for facts.

These commands may run with another Python than the site's, for example from `uvx`.
What needs the site's settings, Django or packages runs in a subprocess.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# What a program needs to start. Everything else in the environment may be a value of
# the site, which does not exist on Lambda.
KEPT_VARIABLES = ("HOME", "LANG", "LC_ALL", "PATH", "PYTHONPATH", "TMPDIR")
TIMEOUT_SECONDS = 300


class SiteError(Exception):
    """Why the site cannot be asked, and what to do."""


def find_python(root: Path) -> Path:
    """
    Return the interpreter that has the site's Django.

    The first of: $VIRTUAL_ENV; `.venv` or `venv` in the folder or in one above it in
    the repository, or the environment that uv, Poetry or Pipenv has for that; and the
    interpreter that runs this. Raises
    SiteError if none of them can import Django.
    """
    tried = []
    for python in _candidates(root):
        if python.is_file() and python not in tried:
            tried.append(python)
            if _has_django(python):
                return python
    raise SiteError(
        f"No Python of {root} has Django (tried {', '.join(map(str, tried))}). Create "
        "its virtual environment, or activate it, so that VIRTUAL_ENV names it."
    )


def _candidates(root: Path) -> Iterator[Path]:
    if active := os.environ.get("VIRTUAL_ENV"):
        yield Path(active, "bin", "python")
    for folder in folders(root):
        yield folder / ".venv" / "bin" / "python"
        yield folder / "venv" / "bin" / "python"
        # Each prints the path of an interpreter, and creates no environment.
        for lock, command in (
            ("uv.lock", ["uv", "python", "find"]),
            ("poetry.lock", ["poetry", "env", "info", "--executable"]),
            ("Pipfile", ["pipenv", "--py"]),
        ):
            if (folder / lock).is_file() and shutil.which(command[0]):
                process = subprocess.run(
                    command, cwd=folder, capture_output=True, text=True, check=False
                )
                if found := process.stdout.strip():
                    yield Path(found)
    yield Path(sys.executable)


def folders(root: Path) -> list[Path]:
    """Return the site's folder, and those above it in its repository."""
    found = [root]
    while not (found[-1] / ".git").exists() and found[-1] != found[-1].parent:
        found.append(found[-1].parent)
    return found if (found[-1] / ".git").exists() else [root]


def _has_django(python: Path) -> bool:
    search = (
        "import sys, importlib.util; sys.exit(not importlib.util.find_spec('django'))"
    )
    process = subprocess.run(
        [python, "-c", search], capture_output=True, env=bare_environment(), check=False
    )
    return process.returncode == 0


def bare_environment() -> dict[str, str]:
    """Return the environment variables without any of the site's."""
    return {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ} | {
        "PYTHONDONTWRITEBYTECODE": "1"
    }


def ask(
    python: Path,
    script: Path,
    folder: Path,
    question: Mapping[str, Any],
    variables: Mapping[str, str],
) -> dict[str, Any]:
    """
    Run a script of ours with the site's interpreter, and return its report.

    The script gets the question as JSON in its first argument, and writes a JSON
    object to the file in its second one; what the site prints is ignored. It runs in
    ``folder``, with ``variables`` and the bare environment only. Raises SiteError with
    the last line of its output if there is no report.
    """
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch) / "report.json"
        try:
            process = subprocess.run(
                [python, script, json.dumps(question), answer],
                cwd=folder,
                env=bare_environment() | dict(variables),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise SiteError(
                f"Django did not start within {TIMEOUT_SECONDS} seconds in {folder}. "
                "What do the settings or AppConfig.ready() wait for?"
            ) from None
        if not answer.is_file():
            lines = (process.stderr or process.stdout).strip().splitlines()
            raise SiteError(
                f"{python} ended with status {process.returncode}: "
                f"{lines[-1] if lines else 'no output'}. Try: {python} -m django check"
            )
        report: dict[str, Any] = json.loads(answer.read_text())
        return report
