"""Do in the init phase what the first request would have to do."""

import io
import logging
import sys
from collections.abc import Iterable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from django.conf import settings

from .database.connections import close_connections

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)


def warm_up(application: "WSGIApplication", paths: Iterable[str]) -> None:
    """
    Answer a GET of each path, so that what it needs is imported and compiled.

    The answers are thrown away, and no connection is kept: an init phase must not
    fail because the database is down. A path that fails is logged and no more.
    """
    for path in paths:
        # In a context of its own, so that no later line carries the request's ID.
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
