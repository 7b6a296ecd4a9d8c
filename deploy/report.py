"""Tell a person what is being done, how long it took, and what to do if it failed."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class Stopped(Exception):
    """
    A step failed; the text says why, for a person.

    ``advice`` is the next command to type, where it is another than the last.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice


def heed_signals() -> None:
    """Let what a closed terminal and a cancelled job send count as Ctrl-C."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is being done, and how long it took or that it failed."""
    start = time.monotonic()
    say(f"» {title}")
    try:
        yield
    except BaseException:
        say(f"  failed after {time.monotonic() - start:.1f} s")
        raise
    say(f"  done in {time.monotonic() - start:.1f} s")


@contextmanager
def undoing(error: BaseException, title: str) -> Iterator[None]:
    """
    Say what is done because of an error; if that fails, too, the error is told first.

    The second one becomes a note of the first, which the caller raises again.
    """
    try:
        with step(title):
            yield
    except (Stopped, KeyboardInterrupt) as second:
        error.add_note(f"Then this was not finished: {title}.\n{reason(second)}")


def reason(error: BaseException) -> str:
    """Return an error with its notes, for a person."""
    return "\n".join([str(error) or "Interrupted.", *getattr(error, "__notes__", ())])


def next_command(error: BaseException, again: str) -> str:
    """Return what to type next, where ``again`` is the command that has failed."""
    if isinstance(error, Stopped):
        return error.advice or f"mend it, then {again}"
    return again


def say(line: str) -> None:
    """Write a line to standard output, at once."""
    _write(line, sys.stdout)


def complain(line: str) -> None:
    """Write a line to standard error, at once."""
    _write(line, sys.stderr)


def _write(line: str, stream: TextIO) -> None:
    # A terminal that was closed must not keep us from giving the traffic back.
    with suppress(OSError):
        print(line, file=stream, flush=True)
