"""
Interrupt an invocation before Lambda kills the execution environment.

At its timeout Lambda kills the process: the client gets the gateway's own error
after the gateway's own timeout, the log has "Task timed out", and the next request
pays for a cold start. An interrupt shortly before leaves time to roll back, to
answer with the request ID, and to log what took so long.
"""

import logging
import signal
import sys
import threading
import time
from types import FrameType

MAIN_THREAD = threading.main_thread().ident

logger = logging.getLogger(__name__)

# For a cancelled coroutine to clean up.
CANCEL_SECONDS = 0.2

# At the last of them a quarter of the margin is left: code that does not end before is
# reported, because nothing else can be logged when Lambda kills the process.
MAX_INTERRUPTS = 4

# Enough to cancel a query, roll back and render an error page.
DEADLINE_MARGIN_SECONDS = 0.5


class DeadlineExceeded(KeyboardInterrupt):
    """
    Lambda's timeout of this invocation is near.

    A KeyboardInterrupt, so that ``except Exception`` does not swallow it, and
    because psycopg cancels the server's query for one. It cannot interrupt a
    single long call into C.
    """


class guard:  # noqa: N801 - used as a function, like those of contextlib
    """
    Raise DeadlineExceeded in this block when only the margin, in seconds, is left.

    It is raised again after each quarter of the margin until the block has ended.
    Where a database does not answer, psycopg takes ten seconds to cancel a query, and
    closes the connection at a second interrupt; then ``atomic`` reconnects, which
    fails until a third one ends it.

    Without a remaining time, or outside the main thread, where Python delivers no
    signals, nothing is armed. Code that catches the interrupt, or replaces it by an
    exception of its own, may hide it: ``exceeded`` remembers it. The handler of
    SIGALRM stays in place afterwards, and no alarm is left to call it.
    """

    def __init__(
        self, remaining_ms: int | None, margin: float = DEADLINE_MARGIN_SECONDS
    ) -> None:
        self.remaining_ms, self.margin = remaining_ms, margin
        self.armed = False
        self.exceeded = False
        self.interrupts = 0

    def __enter__(self) -> None:
        if self.remaining_ms is None or threading.get_ident() != MAIN_THREAD:
            return
        # Reading the handler is ten times cheaper than setting it.
        if signal.getsignal(signal.SIGALRM) is not _interrupt:
            signal.signal(signal.SIGALRM, _interrupt)
        global _guard
        self.armed, _guard = True, self
        # Zero would disarm it.
        seconds = max(self.remaining_ms / 1000 - self.margin, 0.001)
        signal.setitimer(signal.ITIMER_REAL, seconds, self.margin / 4)

    def __exit__(self, *exc_info: object) -> None:
        global _guard
        if self.armed:
            _guard = None
            # Not disarm(): _interrupt() spares this function and no other.
            signal.setitimer(signal.ITIMER_REAL, 0)


def disarm() -> None:
    """Cancel the interrupts of the guard around this, if there is one."""
    signal.setitimer(signal.ITIMER_REAL, 0)


# The armed guard. One cannot be inside of another: there is one timer.
_guard: guard | None = None


def exceeded() -> bool:
    """Return whether the guard around this has interrupted its block."""
    return _guard is not None and _guard.exceeded


def cancel_coroutines() -> None:
    """
    Cancel the coroutines that an interrupted ``async_to_sync`` has left running.

    asgiref runs them in another thread, where no interrupt arrives: an async view or
    stream would continue after its request was answered.
    """
    import asyncio

    # Imported by what uses it, or there is nothing to cancel.
    asgiref = sys.modules.get("asgiref.sync")
    loops = asgiref.AsyncToSync.loop_thread_executors if asgiref else {}
    until = time.monotonic() + CANCEL_SECONDS
    for loop in [*loops]:
        for task in asyncio.all_tasks(loop):
            loop.call_soon_threadsafe(task.cancel)
        while loop in loops and time.monotonic() < until:
            time.sleep(0.001)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Raising inside them would leave the timer armed.
    if frame and frame.f_code in (guard.__enter__.__code__, guard.__exit__.__code__):
        return
    if _guard:
        _guard.exceeded = True
        _guard.interrupts += 1
        if _guard.interrupts == MAX_INTERRUPTS:
            logger.critical(
                "The code does not end at the deadline: it caught %s interrupts. "
                "Lambda ends the execution environment at its timeout.",
                MAX_INTERRUPTS,
                stack_info=True,
                extra={"metrics": {"DeadlineHits": 1}},
            )
    raise DeadlineExceeded
