"""What the init phase loads and creates, so that no request has to."""

import io
import logging
import sys
from collections.abc import Iterable
from contextvars import copy_context
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import caches
from django.core.wsgi import get_wsgi_application
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.urls import get_resolver
from django.utils.module_loading import import_string

from . import conf
from .database.connections import ConnectionRefused, refusing_connections

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)


def create_backends() -> None:
    """
    Create the caches and the task backends that all invocations share.

    Django keeps them in the current context. One that is created in the context of an
    invocation ends with it, and its connections with it. A backend that cannot be
    created is logged: only what uses it fails.
    """
    # If it is imported: Django 5.2 has none, and few sites use them.
    tasks = sys.modules.get("django.tasks")
    for backends in (caches, tasks.task_backends) if tasks else (caches,):
        for alias in backends:
            try:
                backends[alias]
            except Exception:
                name = f"{backends.settings_name}[{alias!r}]"
                logger.exception("The init phase could not create %s", name)


def load_application() -> "WSGIApplication":
    """
    Return the site's own WSGI application: what WSGI_APPLICATION names, or Django's.

    Its module may wrap the application or change ``sys.path``. runserver serves the
    same one. Django's get_internal_wsgi_application would import a web server, which
    takes 3 ms.
    """
    path = settings.WSGI_APPLICATION
    # get_wsgi_application() sets Django up again. That loads no app twice, but would
    # configure logging again, which by default disables the loggers that exist.
    configure = settings.LOGGING_CONFIG
    settings.LOGGING_CONFIG = None
    try:
        application: WSGIApplication = (
            import_string(path) if path else get_wsgi_application()
        )
    finally:
        settings.LOGGING_CONFIG = configure
    return application


def warm_up(application: "WSGIApplication", paths: Iterable[str]) -> None:
    """
    Load the URLs and the template engines, and request each path.

    Its code and templates are then loaded. The responses are discarded. What fails is
    only logged, and so is a path that needs a database: the init phase must not depend
    on it. Only a connection that LAMBDA_WARM_UP_DATABASE has opened may be used.
    """
    loads = [create_template_engines]
    try:
        import_module(settings.ROOT_URLCONF)
        loads.append(index_urls)
    except Exception:
        logger.exception("The init phase could not import %s", settings.ROOT_URLCONF)
    refused = []
    with refusing_connections(but_open=conf.get("LAMBDA_WARM_UP_DATABASE")):
        for load in loads:
            try:
                load()
            except (Exception, ConnectionRefused):
                # The first request does it again, and may use the database.
                logger.warning("The warm-up failed: %s", load.__name__, exc_info=True)
        for path in paths:
            try:
                # In a copied context, so that no later log line has the request's ID.
                copy_context().run(_get, application, path)
            except ConnectionRefused:
                refused.append(path)
    if refused:
        logger.warning(
            "The warm-up of %s ended at a database query, which was not sent. Remove "
            "it from LAMBDA_WARM_UP_PATHS, or open a connection with "
            "LAMBDA_WARM_UP_DATABASE (docs/capacity.md#the-warm-up).",
            ", ".join(refused),
        )


def index_urls() -> None:
    """Read all URL patterns, which reverse() looks up by their names."""
    # Nothing else in Django makes the index.
    get_resolver().reverse_dict  # noqa: B018


def create_template_engines() -> None:
    """
    Create the template engines, and import their context processors.

    An engine imports the template tags of all apps.
    """
    for backend in engines.all():
        if isinstance(backend, DjangoTemplates):
            backend.engine.template_context_processors  # noqa: B018


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
    except (ConnectionRefused, KeyboardInterrupt):
        raise
    except BaseException:
        # SystemExit, too: it would end the environment, and nothing would log it.
        logger.exception("The warm-up of %s failed", path)


def _environ(path: str) -> "WSGIEnvironment":
    host = next(
        (h.lstrip(".") for h in settings.ALLOWED_HOSTS if h and h != "*"), "localhost"
    )
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": host,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_ACCEPT": "text/html",
        "HTTP_HOST": host,
        "HTTP_X_FORWARDED_PROTO": "https",
        "HTTP_X_ORIGIN_SECRET": conf.get("LAMBDA_ORIGIN_SECRET").partition(",")[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    return environ
