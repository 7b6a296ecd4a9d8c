"""
Interrupt an invocation before Lambda kills the execution environment.

At its timeout Lambda kills the process: the client gets the gateway's own error
after the gateway's own timeout, the log has "Task timed out", and the next request
pays for a cold start. An interrupt shortly before leaves time to roll back, to
answer with the request ID, and to log what took so long.
"""

import signal
import threading
from types import FrameType

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
    signals, nothing is armed. The handler of SIGALRM stays in place afterwards,
    and no alarm is left to call it.
    """

    def __init__(
        self, remaining_ms: int | None, margin: float = DEADLINE_MARGIN_SECONDS
    ) -> None:
        self.remaining_ms, self.margin = remaining_ms, margin
        self.armed = False

    def __enter__(self) -> None:
        if (
            self.remaining_ms is None
            or threading.current_thread() is not threading.main_thread()
        ):
            return
        # Reading the handler is ten times cheaper than setting it.
        if signal.getsignal(signal.SIGALRM) is not _interrupt:
            signal.signal(signal.SIGALRM, _interrupt)
        self.armed = True
        # Zero would disarm it.
        seconds = max(self.remaining_ms / 1000 - self.margin, 0.001)
        signal.setitimer(signal.ITIMER_REAL, seconds, self.margin / 4)

    def __exit__(self, *exc_info: object) -> None:
        if self.armed:
            # Not disarm(): _interrupt() spares this function and no other.
            signal.setitimer(signal.ITIMER_REAL, 0)


def disarm() -> None:
    """Cancel the interrupts of the guard around this, if there is one."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # Raising inside them would leave the timer armed.
    if frame and frame.f_code in (guard.__enter__.__code__, guard.__exit__.__code__):
        return
    raise DeadlineExceeded
