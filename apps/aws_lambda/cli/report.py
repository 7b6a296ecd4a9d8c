"""Print the steps of a command, their duration, and what to do after a failure."""

import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO

from . import ROOT


class DeployError(Exception):
    """
    A step failed, for the reason in the text.

    ``advice`` is the next command, unless it is to run the same command again, and
    ``first`` what to do before that.
    """

    def __init__(self, reason: str, advice: str = "", first: str = "") -> None:
        super().__init__(reason)
        self.advice = advice
        self.first = first


def command(name: str, arguments: Sequence[str] = (), **options: object) -> str:
    """
    Return the command line of a command, to print: what to run next.

    "make deploy STAGE=prod" if the Makefile of the folder runs these commands, as in
    this repository, and "django-on-lambda deploy --stage prod" in another site.
    ``options`` are those with a value, and ``arguments`` all others.
    """
    if not has_target(name):
        pairs = {key.replace("_", "-"): value for key, value in options.items()}
        words = [word for key, value in pairs.items() for word in (f"--{key}", value)]
        return shlex.join(["django-on-lambda", name, *map(str, words), *arguments])
    values = [f" {key.upper()}={value}" for key, value in options.items()]
    if arguments:
        values.append(f" ARGS={shlex.quote(shlex.join(arguments))}")
    return f"make {name}{''.join(values)}"


def has_target(name: str) -> bool:
    """Return whether the Makefile of the folder has a target that runs a command."""
    try:
        makefile = (ROOT / "Makefile").read_text(errors="replace")
    except OSError:
        return False
    program = rf"{re.escape(__package__)} {name}\b"
    return bool(re.search(rf"^{name}:.*\n\t.*{program}", makefile, re.MULTILINE))


def interrupt_on_signals() -> None:
    """Raise KeyboardInterrupt when a terminal closes or a job is canceled."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print a title, then how long the block took or that it failed."""
    start = time.monotonic()
    write(f"» {title}")
    try:
        yield
    except BaseException:
        write(f"  failed after {time.monotonic() - start:.1f} s")
        raise
    write(f"  done in {time.monotonic() - start:.1f} s")


@contextmanager
def cleanup(error: BaseException, title: str) -> Iterator[None]:
    """
    Run the block as a step that cleans up after an error.

    If it fails too, its error becomes a note of the first one, which the caller
    raises again.
    """
    try:
        with step(title):
            yield
    except (DeployError, KeyboardInterrupt) as second:
        error.add_note(f"The cleanup failed: {title}.\n{message(second)}")
        if isinstance(error, DeployError) and isinstance(second, DeployError):
            error.first = error.first or second.first


def message(error: BaseException) -> str:
    """Return the text of an error with its notes."""
    return "\n".join([str(error) or "Interrupted.", *getattr(error, "__notes__", ())])


def next_command(error: BaseException, again: str) -> str:
    """Return what to do next; ``again`` is the command that failed."""
    if isinstance(error, DeployError):
        first = error.first or "fix the problem above"
        return error.advice or f"{first}, then run: {again}"
    return again


def write(line: str) -> None:
    """Write a line to standard output and flush it."""
    _write(line, sys.stdout)


def write_error(line: str) -> None:
    """Write a line to standard error and flush it."""
    _write(line, sys.stderr)


def _write(line: str, stream: TextIO) -> None:
    # A closed terminal must not prevent the cleanup.
    with suppress(OSError):
        print(line, file=stream, flush=True)
