"""Signals and child processes: what Popen's ``preexec_fn`` sets up in a child."""

import ctypes
import signal
import sys
from collections.abc import Callable

_LIBC = ctypes.CDLL(None)


def dies_with_parent(signal_number: int) -> Callable[[], None] | None:
    """
    Return a ``preexec_fn`` that sends the child a signal when its parent ends.

    It works even if the parent is killed with SIGKILL, on Linux only; elsewhere this
    returns None. Start the child from the main thread: Linux takes the end of the
    starting thread for the end of the parent. A shell lets background processes ignore
    SIGINT and SIGQUIT, so the child's default action for the signal is restored.
    """
    if sys.platform != "linux":
        return None

    def prepare() -> None:
        if signal_number != signal.SIGKILL:
            signal.signal(signal_number, signal.SIG_DFL)
        # PR_SET_PDEATHSIG is 1.
        _LIBC.prctl(1, signal_number)

    return prepare


def takes_interrupts() -> None:
    """
    Restore the default action of SIGINT; a ``preexec_fn``.

    A shell lets background processes ignore SIGINT, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
