"""
SnapStart hooks, shutdown, and the signals of an execution environment.

SnapStart initialises a function once, takes a snapshot of its memory, and starts
every environment as a copy of it: what is unique in that memory would be the same
in all of them.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html

Projects connect receivers to the signals. A receiver of ``after_restore`` that
raises ends the environment.
"""

import logging
import os
import random
import signal
import sys
from types import FrameType

from django.dispatch import Signal

from . import parameters
from .database.connections import close_connections, update_credentials
from .invocation import Invocation

logger = logging.getLogger(__name__)

before_snapshot = Signal()
after_restore = Signal()
# After each invocation, before Lambda may freeze the environment with its threads.
# AWS's runtime client sends the result after it, and this project's before it.
# Receivers get ``seconds``, which they have in all.
before_freeze = Signal()
# In the ``except`` clause of a failed init phase, before the process ends.
init_failed = Signal()

# Clients wait for it, unless they have the result.
FREEZE_SECONDS = 2.0
# Left before Lambda's timeout, to return the result.
RESULT_MARGIN_MS = 100


class RestoreError(Exception):
    """A restored copy cannot be used. The log has the cause; this text is public."""


def register() -> None:
    """Register the hooks that this environment has: SnapStart's, and SIGTERM."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        # Part of Lambda's runtime, and absent elsewhere.
        import snapshot_restore_py

        snapshot_restore_py.register_before_snapshot(prepare_snapshot)
        snapshot_restore_py.register_after_restore(restore)
    if "AWS_LAMBDA_RUNTIME_API" in os.environ:
        signal.signal(signal.SIGTERM, shut_down)


def prepare_snapshot() -> None:
    """Close what a clone of this process cannot reuse."""
    before_snapshot.send(sender=None)
    close_connections()


def restore() -> None:
    """
    Make this copy differ from the others, and refresh its parameters.

    A failure is logged once, in full, and escapes as RestoreError: Lambda logs the
    message of the exception, and ends the environment.
    """
    # uuid4, secrets and ssl ask the system each time. ``random`` continues from the
    # state in the snapshot, and e-mail's Message-ID is made with it.
    random.seed()
    try:
        # The snapshot may be weeks old.
        before = dict(os.environ)
        fetched = parameters.refresh()
        replaced = {before[name]: value for name, value in fetched.items()}
        update_credentials(replaced)
        after_restore.send(sender=None)
    except Exception as error:
        logger.critical("The SnapStart restore failed", exc_info=True)
        raise RestoreError(
            f"The SnapStart restore failed with {type(error).__name__}: see the "
            "FATAL log line."
        ) from None


def send_before_freeze(invocation: Invocation) -> None:
    """Send ``before_freeze``, and let nothing that a receiver raises escape."""
    seconds = FREEZE_SECONDS
    if (remaining_ms := invocation.remaining_ms) is not None:
        seconds = min(
            max((remaining_ms - RESULT_MARGIN_MS) / 1000, 0.0), FREEZE_SECONDS
        )
    try:
        # It logs what raises an Exception.
        before_freeze.send_robust(sender=None, seconds=seconds)
    except BaseException:
        logger.exception("A receiver of before_freeze failed")


def shut_down(number: int, frame: FrameType | None) -> None:
    """
    Close connections, and exit.

    Lambda sends SIGTERM only to a function with an extension, and kills it half a
    second later: nothing may depend on this.
    """
    close_connections()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
