"""
The init phase: everything that happens once per execution environment.

lambda_entry imports this module first, so it imports nothing that the code bundle has.
"""

import gc
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from . import bundle

logger = logging.getLogger(__name__)


class InitError(Exception):
    """The init phase failed. The log has the cause; this text is public."""


@contextmanager
def init_phase() -> Iterator[None]:
    """
    Set Django up, run the block, which builds the handlers, and report the time.

    A failure is logged once, in full, and escapes as InitError: Lambda logs the
    message of the exception, and starts a fresh environment. Django cannot be set
    up twice in a process, so a broken one is never kept.
    """
    # Nothing that is created now is ever garbage. Collecting it takes 5 to 10 % of
    # the init phase, and 45 ms of a request at each full collection
    # (docs/capacity.md#the-garbage-collector).
    gc.disable()
    start = time.perf_counter()
    refused = bundle.install()
    # Now, so that they are loaded from the bundle.
    import django

    from . import conf, lifecycle, parameters
    from .database.connections import open_persistent_connections

    # As log lines, and not on standard error, where they have no level.
    logging.captureWarnings(True)
    try:
        parameters.resolve(os.environ)
        django.setup(set_prefix=False)
        _enable_loggers()
        if refused:
            logger.warning("%s", refused)
        lifecycle.register()
        # Before the warm-up, whose pages may use them.
        if conf.get("LAMBDA_WARM_UP_DATABASE"):
            open_persistent_connections()
        yield
    except Exception as error:
        _log_failure()
        lifecycle.init_failed.send_robust(sender=None)
        raise InitError(
            f"The init phase failed with {type(error).__name__}: see the "
            "FATAL log line."
        ) from None
    gc.freeze()
    gc.enable()
    duration = round((time.perf_counter() - start) * 1000, 1)
    logger.info(
        "Initialised in %s ms",
        duration,
        extra={"metrics": {"InitDuration": (duration, "Milliseconds")}},
    )


def _enable_loggers() -> None:
    # By default dictConfig disables the loggers that exist when it is called: here
    # those of the modules that the init phase imports first.
    for name, existing in logging.root.manager.loggerDict.items():
        if isinstance(existing, logging.Logger) and name.startswith(f"{__package__}."):
            existing.disabled = False


def _log_failure() -> None:
    from .observability.formatters import JSONFormatter

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
