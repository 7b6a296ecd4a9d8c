"""The init phase: everything that happens once per execution environment."""

import gc
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import django

from . import conf, lifecycle, parameters
from .database.connections import open_persistent_connections
from .observability.formatters import JSONFormatter

logger = logging.getLogger(__name__)


class InitError(Exception):
    """The init phase failed. The log says how; this text may be shown to anyone."""


@contextmanager
def init_phase() -> Iterator[None]:
    """
    Set Django up, run the block, which builds the handlers, and report the time.

    A failure is logged once, in full, and escapes as InitError: Lambda logs the
    message of whatever escapes, and starts a fresh environment. Django cannot be
    set up twice in a process, so a broken one is never kept.
    """
    start = time.perf_counter()
    # Nothing that is made now is ever thrown away: looking for garbage among it is
    # a twentieth to a tenth of the init phase, and 45 ms of a request each time that
    # everything is looked through (docs/operate.md).
    gc.disable()
    try:
        parameters.resolve(os.environ)
        django.setup(set_prefix=False)
        lifecycle.register()
        yield
        if conf.get("LAMBDA_WARM_UP_DATABASE"):
            open_persistent_connections()
    except Exception as error:
        _log_failure()
        lifecycle.init_failed.send_robust(sender=None)
        raise InitError(
            f"The init phase failed with {type(error).__name__}: see the line of "
            "level CRITICAL in the log."
        ) from None
    gc.freeze()
    gc.enable()
    duration = round((time.perf_counter() - start) * 1000, 1)
    logger.info(
        "Initialised in %s ms",
        duration,
        extra={"metrics": {"InitDuration": (duration, "Milliseconds")}},
    )


def _log_failure() -> None:
    # Logging is configured by the settings, which may be what failed.
    record = logging.LogRecord(
        __name__,
        logging.CRITICAL,
        __file__,
        0,
        "The init phase failed",
        (),
        sys.exc_info(),
    )
    sys.stdout.write(JSONFormatter().format(record) + "\n")
    sys.stdout.flush()
