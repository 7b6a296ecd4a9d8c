"""The init phase: everything that happens once per execution environment."""

import gc
import io
import logging
import os
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

import django
from django.conf import settings

from . import conf, lifecycle, parameters
from .database.connections import close_connections, open_persistent_connections
from .observability.formatters import JSONFormatter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

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
    start = time.perf_counter()
    # Nothing that is created now is ever garbage. Collecting it takes 5 to 10 % of
    # the init phase, and 45 ms of a request at each full collection
    # (docs/operate.md).
    gc.disable()
    # As log lines, and not on standard error, where they have no level.
    logging.captureWarnings(True)
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


def warm_up(application: "WSGIApplication", paths: Iterable[str]) -> None:
    """
    Request each path, so that what it needs is imported and compiled.

    The responses are discarded, and no connection is kept: the init phase must not
    fail because the database is down. A path that fails is only logged.
    """
    for path in paths:
        # In a copied context, so that no later log line has the request's ID.
        copy_context().run(_get, application, path)
    close_connections()


def _get(application: "WSGIApplication", path: str) -> None:
    try:
        body = application(_environ(path), lambda *args: lambda data: None)
        try:
            for _ in body:
                pass
        finally:
            close = getattr(body, "close", None)
            if close:
                close()
    except Exception:
        logger.exception("The warm-up of %s failed", path)


def _environ(path: str) -> "WSGIEnvironment":
    host = next(
        (h.lstrip(".") for h in settings.ALLOWED_HOSTS if h != "*"), "localhost"
    )
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": host,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_ACCEPT": "text/html",
        "HTTP_HOST": host,
        "HTTP_X_ORIGIN_SECRET": conf.get("LAMBDA_ORIGIN_SECRET").partition(",")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        # The access log leaves it out.
        "aws_lambda.warm_up": True,
    }
    return environ
