"""
The life of an execution environment besides its requests.

SnapStart initialises a function once, keeps a snapshot of its memory, and starts
every environment as a copy of it: whatever is unique in that memory would be
the same in all of them.
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html

The signals are for projects to add to. A receiver that raises after a restore
ends the environment.
"""

import logging
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from django.dispatch import Signal

from . import parameters
from .database.connections import close_connections, update_credentials

logger = logging.getLogger(__name__)

before_snapshot = Signal()
after_restore = Signal()
# After each invocation, before Lambda gets the result and may freeze whatever runs
# in the background. Receivers get ``seconds``: how long they may take in all.
before_freeze = Signal()
# In the ``except`` clause of what failed, before the process ends.
init_failed = Signal()

# Clients wait meanwhile.
FREEZE_SECONDS = 2.0
# Kept back from Lambda's timeout, to return the result.
RESERVE_MS = 100


class RestoreError(Exception):
    """The copy is not fit for use. The log says why; anyone may see this text."""


def register() -> None:
    """Hook into the environment's life, as far as this environment has one."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
        # Part of Lambda's runtime, and absent elsewhere.
        import snapshot_restore_py

        snapshot_restore_py.register_before_snapshot(prepare)
        snapshot_restore_py.register_after_restore(renew)
    if "AWS_LAMBDA_RUNTIME_API" in os.environ:
        signal.signal(signal.SIGTERM, shut_down)


def prepare() -> None:
    """Leave nothing in the snapshot that a copy of it could not use."""
    before_snapshot.send(sender=None)
    close_connections()


def renew() -> None:
    """
    Make this copy differ from the others, and bring it up to date.

    A failure is logged once, in full, and escapes as RestoreError: Lambda logs the
    message of whatever escapes, and ends the environment.
    """
    # uuid4, secrets and ssl ask the system each time. ``random`` goes on where the
    # snapshot left it, and e-mail's Message-ID is made with it.
    random.seed()
    try:
        # The snapshot may be weeks old.
        before = dict(os.environ)
        fetched = parameters.refresh()
        replaced = {before[name]: value for name, value in fetched.items()}
        update_credentials(replaced)
        after_restore.send(sender=None)
    except Exception as error:
        logger.critical("The restoration failed", exc_info=True)
        raise RestoreError(
            f"The restoration failed with {type(error).__name__}: see the line of "
            "level CRITICAL in the log."
        ) from None


def finishing(handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """Make the handler send ``before_freeze`` after each invocation."""

    @wraps(handler)
    def finished(event: Any, context: Any) -> Any:
        try:
            return handler(event, context)
        finally:
            if before_freeze.receivers:
                _finish(context)

    return finished


def _finish(context: Any) -> None:
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    left = (remaining() - RESERVE_MS) / 1000 if remaining else FREEZE_SECONDS
    seconds = min(max(left, 0.0), FREEZE_SECONDS)
    try:
        # It logs what raises an Exception; the response is made already.
        before_freeze.send_robust(sender=None, seconds=seconds)
    except BaseException:
        logger.exception("A receiver of before_freeze failed")


def shut_down(number: int, frame: FrameType | None) -> None:
    """
    Close connections in good order, and end.

    Lambda sends SIGTERM only to a function with an extension, and gives it half
    a second: nothing may depend on this.
    """
    close_connections()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
