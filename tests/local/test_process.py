"""A child that does not outlive its parent, however that one was started."""

import signal
import subprocess
import sys

import pytest

PARENT = """
import signal, subprocess, sys
from local.process import dies_with_parent

number = signal.Signals(int(sys.argv[1]))
life = "print('runs', flush=True); import time; time.sleep(20); print('outlived')"
child = subprocess.Popen(
    [sys.executable, "-c", life],
    preexec_fn=dies_with_parent(number),
)
sys.stdin.read()
"""


def ignores() -> None:
    """Do what a shell does for what it starts in the background."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)


@pytest.mark.skipif(sys.platform != "linux", reason="Only Linux can do that")
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL]
)
def test_a_child_dies_with_a_parent_that_was_started_in_the_background(
    number: signal.Signals,
):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(int(number))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=ignores,
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"runs\n"
        parent.kill()

        # The child has it, too: it ends when both have ended.
        assert parent.stdout.read() == b""
