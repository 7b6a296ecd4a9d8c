"""Child processes that do not outlive the one that started them."""

import ctypes
import signal
import socket
import sys
from collections.abc import Callable

_LIBC = ctypes.CDLL(None)


def dies_with_parent(signal_number: int) -> Callable[[], None] | None:
    """
    Return a Popen ``preexec_fn``: when we die, even by SIGKILL, so does the child.

    Only Linux can do that; elsewhere None. Start the child from the main thread:
    Linux takes the end of the starting thread for our death. The signal counts there,
    though a shell lets what it starts in the background ignore SIGINT and SIGQUIT.
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
    A Popen ``preexec_fn``: Ctrl-C counts in the child.

    A shell lets what it starts in the background ignore it, and so would the child.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
