"""Tell a person what is being done, how long it took, and what to do if it failed."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """
    A step failed; the text says why, for a person.

    ``advice`` is the next command to type, where it is another than the last.
    """

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.advice = advice


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


def say(line: str) -> None:
    """Write a line to standard output, at once."""
    print(line, flush=True)


def complain(line: str) -> None:
    """Write a line to standard error, at once."""
    print(line, file=sys.stderr, flush=True)
