"""
End a request before Lambda ends the execution environment.

When its time is up Lambda kills the process: the client gets the gateway's own
error after the gateway's own wait, the log says "Task timed out", and the next
request pays for a cold start. An interrupt shortly before leaves time to roll
back, to answer with the request ID, and to say in the log what took so long.
"""

import signal
import threading
from types import FrameType

# In seconds. Enough to cancel a query, roll back and render an error page.
MARGIN = 0.5


class DeadlineExceeded(KeyboardInterrupt):
    """
    The time for this invocation is nearly up.

    A KeyboardInterrupt, so that ``except Exception`` does not swallow it, and
    because psycopg cancels the server's query for one. It cannot interrupt a
    single long call into C.
    """


class guard:  # noqa: N801 - read as a function, as those of contextlib are
    """
    Raise DeadlineExceeded in this block when only the margin, in seconds, is left.

    And again after each quarter of the margin, if the block has not ended by then.
    Where a database does not answer, psycopg takes ten seconds to cancel a query, and
    closes the connection at a second interrupt; then ``atomic`` connects anew, to no
    avail, which a third one ends.

    Without a remaining time, or outside the main thread, where Python delivers no
    signals, nothing is armed. The handler of SIGALRM stays in place afterwards,
    and no alarm is left to call it.
    """

    def __init__(self, remaining_ms: int | None, margin: float = MARGIN) -> None:
        self.remaining_ms, self.margin = remaining_ms, margin
        self.armed = False

    def __enter__(self) -> None:
        if (
            self.remaining_ms is None
            or threading.current_thread() is not threading.main_thread()
        ):
            return
        # To ask is cheaper than to set, by ten times.
        if signal.getsignal(signal.SIGALRM) is not _interrupt:
            signal.signal(signal.SIGALRM, _interrupt)
        self.armed = True
        # Zero would disarm it.
        seconds = max(self.remaining_ms / 1000 - self.margin, 0.001)
        signal.setitimer(signal.ITIMER_REAL, seconds, self.margin / 4)

    def __exit__(self, *exc_info: object) -> None:
        if self.armed:
            # Not disarm(): no other function may be struck.
            signal.setitimer(signal.ITIMER_REAL, 0)


def disarm() -> None:
    """Interrupt nothing any more: what could hang is over."""
    signal.setitimer(signal.ITIMER_REAL, 0)


def _interrupt(number: int, frame: FrameType | None) -> None:
    # There it would leave the alarm on, which strikes again and again.
    if frame and frame.f_code in (guard.__enter__.__code__, guard.__exit__.__code__):
        return
    raise DeadlineExceeded
