"""
End a request before Lambda ends the execution environment.

When its time is up Lambda kills the process: the client gets the gateway's own
error after the gateway's own wait, the log says "Task timed out", and the next
request pays for a cold start. An interrupt shortly before leaves time to roll
back, to answer with the request ID, and to say in the log what took so long.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def guard(remaining_ms: int | None, margin: float = MARGIN) -> Iterator[None]:
    """
    Raise DeadlineExceeded in this block when only the margin, in seconds, is left.

    Without a remaining time, or outside the main thread, where Python delivers no
    signals, nothing is armed.
    """
    if (
        remaining_ms is None
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return
    before = signal.signal(signal.SIGALRM, _interrupt)
    # Zero would disarm it.
    signal.setitimer(signal.ITIMER_REAL, max(remaining_ms / 1000 - margin, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise DeadlineExceeded
