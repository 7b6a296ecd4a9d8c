"""Find the programs that the tests need, or install them and say so."""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / ".cache"

# pytest captures descriptor 2. This copy still reaches the terminal if it is made
# before: by a plugin that is loaded with `-p`, not by a conftest.py.
_TERMINAL = os.dup(2)


class Unavailable(Exception):
    """A program that the tests need is missing and cannot be installed."""


def say(sentence: str) -> None:
    """Print a sentence on the terminal, even while pytest captures output."""
    os.write(_TERMINAL, f"{sentence}\n".encode())


def run(command: list[str], **options: Any) -> str:
    """Return what the command prints; raise Unavailable with the end of its errors."""
    options = {"stdin": subprocess.DEVNULL, "timeout": 600, "check": False} | options
    options |= {"capture_output": True, "text": True, "errors": "replace"}
    try:
        result: subprocess.CompletedProcess[str] = subprocess.run(command, **options)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]} does not run: {error}") from error
    if result.returncode:
        words = (result.stderr or result.stdout).strip()
        end = "\n".join(words.splitlines()[-15:])
        start = " ".join(command[:3])
        raise Unavailable(f"{start} ended with code {result.returncode}:\n{end}")
    return result.stdout


def first[T](sources: Iterable[Callable[[], T | None]], advice: str) -> T:
    """
    Return what the first successful source returns.

    A source returns None if it does not apply to this machine. If it fails, it raises
    Unavailable: the reason is printed, and the next source is tried. If all fail,
    Unavailable is raised with the advice, followed by the reasons.
    """
    reasons = []
    for source in sources:
        try:
            found = source()
        except Unavailable as reason:
            say(str(reason))
            reasons.append(str(reason))
        else:
            if found is not None:
                return found
    raise Unavailable("\n\n".join([advice, *reasons]))


@contextmanager
def exclusively() -> Iterator[None]:
    """Keep other workers of pytest-xdist from installing programs in the block."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def once(name: str, lock: Path, fill: Callable[[Path], None]) -> Path:
    """
    Return a folder in `.cache` that was filled once for this lock file and platform.

    It is complete or absent: an interrupted installation starts again.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = CACHE / name / f"{sysconfig.get_platform()}-{digest}"
    with exclusively():
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
                # Only its owner may enter a temporary folder; others need this one.
                part = Path(scratch) / name
                part.mkdir()
                fill(part)
                part.rename(folder)
    return folder


def packages(
    lock: Path, folder: Path, *options: str, python: Path = Path(sys.executable)
) -> None:
    """Install the packages of a lock file for an interpreter into a folder, with uv."""
    path = os.pathsep.join([f"{sys.prefix}/bin", os.environ.get("PATH", "")])
    program = shutil.which("uv", path=path)
    uv = [program] if program else [sys.executable, "-m", "uv"]
    command = [*uv, "pip", "install", "--require-hashes", *options]
    command += ["--python", str(python), "--target", str(folder)]
    run([*command, "--requirement", str(lock)])


def from_apt(package: str) -> bool:
    """Install a Debian package; return False without root or apt-get."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"Installing the Debian package {package} with apt-get.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with exclusively():
        run(["apt-get", "update"], env=environment)
        run(
            ["apt-get", "install", "--yes", "--no-install-recommends", package],
            env=environment,
        )
    return True
