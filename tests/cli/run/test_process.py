"""A child that ends with its parent."""

import signal
import subprocess
import sys

import pytest

PARENT = """
import signal, subprocess, sys
from apps.aws_lambda.cli.process import dies_with_parent

number = signal.Signals(int(sys.argv[1]))
life = "print('runs', flush=True); import time; time.sleep(20); print('survived')"
child = subprocess.Popen(
    [sys.executable, "-c", life],
    preexec_fn=dies_with_parent(number),
)
sys.stdin.read()
"""


def ignore_signals() -> None:
    """Ignore the signals that a shell ignores for background processes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, signal.SIG_IGN)


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can signal the death of a parent"
)
@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGKILL]
)
def test_a_child_ends_with_a_background_parent(
    number: signal.Signals,
):
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(int(number))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=ignore_signals,
    ) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == b"runs\n"
        parent.kill()

        # Both processes hold standard output: it closes when both have ended.
        assert parent.stdout.read() == b""
