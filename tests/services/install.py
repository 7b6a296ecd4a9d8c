"""Find what the tests need, or install it, and say aloud what is being installed."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / ".cache"

# pytest captures descriptor 2 itself. This copy still reaches the terminal if it is
# made before that: by a plugin named with `-p`, not by a conftest.py.
_TERMINAL = os.dup(2)


class Unavailable(Exception):
    """Something that the tests need is neither there nor can be installed."""


def say(sentence: str) -> None:
    """Tell the person who waits for the tests, even while pytest captures output."""
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
    Return what the first source that has something returns.

    A source returns None when there is nothing for it to try. One that tries and fails
    raises Unavailable: the reason is said, and the next one tried. When all have
    failed, the advice is raised, followed by the reasons.
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


def once(name: str, lock: Path, fill: Callable[[Path], None]) -> Path:
    """
    Return a folder in `.cache` that was filled once for this lock file and platform.

    It appears complete or not at all: an interrupted installation begins again.
    """
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = CACHE / name / f"{sysconfig.get_platform()}-{digest}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
            # Only its owner may enter a temporary directory; a folder inside is open.
            part = Path(scratch) / name
            part.mkdir()
            fill(part)
            try:
                part.rename(folder)
            except OSError:
                # Another process was faster.
                if not folder.is_dir():
                    raise
    return folder


def packages(lock: Path, folder: Path, *options: str) -> None:
    """Install the packages of a lock file into a folder, with uv."""
    path = os.pathsep.join([f"{sys.prefix}/bin", os.environ.get("PATH", "")])
    program = shutil.which("uv", path=path)
    uv = [program] if program else [sys.executable, "-m", "uv"]
    command = [*uv, "pip", "install", "--require-hashes", *options]
    command += ["--python", sys.executable, "--target", str(folder)]
    run([*command, "--requirement", str(lock)])


def from_apt(package: str) -> bool:
    """Install a Debian package; return False where we may not or cannot."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False
    say(f"Installing the Debian package {package} with apt-get.")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update"], env=environment)
    run(
        ["apt-get", "install", "--yes", "--no-install-recommends", package],
        env=environment,
    )
    return True
