"""
The site's own Python: find it, and ask it for facts.

These commands may run with another Python than the site's, for example from `uvx`.
What needs the site's settings, Django or packages runs in a subprocess.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .process import dies_with_parent

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
        command = [str(python), str(script), json.dumps(question), str(answer)]
        try:
            status, output = run_program(
                command, folder, bare_environment() | dict(variables), TIMEOUT_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise SiteError(
                f"Django did not start within {TIMEOUT_SECONDS} seconds with "
                f"{question.get('settings', folder)}. What do the settings or "
                "AppConfig.ready() wait for?"
            ) from None
        if not answer.is_file():
            lines = output.splitlines()
            raise SiteError(
                f"{python} ended with status {status}: "
                f"{lines[-1] if lines else 'no output'}. Try: {python} manage.py check"
            )
        report: dict[str, Any] = json.loads(answer.read_text())
        return report


def run_program(
    command: Sequence[str | Path],
    folder: Path,
    variables: Mapping[str, str],
    timeout: float | None = None,
) -> tuple[int, str]:
    """
    Run a program of the site; return its exit status, and its errors or its output.

    Processes that it leaves behind are ended: they would hold a pipe open, so the
    output is in files. ``timeout`` is in seconds. Raises subprocess.TimeoutExpired.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGKILL),
        )
        try:
            status = process.wait(timeout)
        finally:
            end_session(process)
        texts = []
        for file in (errors, output):
            file.seek(0)
            texts.append(file.read().decode(errors="replace").strip())
        return status, texts[0] or texts[1]


def end_session(process: "subprocess.Popen[bytes]") -> None:
    """Kill a process that has a session of its own, and its children."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
