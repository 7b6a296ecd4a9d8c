"""
One Lambda handler per kind of event, and what all of them do around an event.

lambda_entry names them. Each builds a ``serve`` function, which takes the
invocation and returns the result; ``lambda_handler`` is everything around it.
"""

import logging
import os
from collections.abc import Callable
from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any

from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import autodiscover_modules

from . import conf
from .bootstrap import warm_up
from .database.connections import close_old_connections
from .events import UnsupportedEvent
from .http.gateway import make_gateway
from .invocation import Invocation, activate
from .lifecycle import before_freeze, send_before_freeze

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

logger = logging.getLogger(__name__)

Handler = Callable[[Any, Any], Any]
Serve = Callable[[Invocation], Any]


def lambda_handler(serve: Serve) -> Handler:
    """
    Return a Lambda handler that serves each event as an invocation of its own.

    It counts the invocations of this execution environment, makes each the current
    one, and sends ``before_freeze`` once ``serve`` has returned or raised. It raises
    what ``serve`` raises; an UnsupportedEvent is logged first.
    """
    numbers = count(1)

    def handler(event: Any, context: Any) -> Any:
        current = Invocation(event, context, next(numbers))
        with activate(current):
            try:
                return serve(current)
            except UnsupportedEvent as error:
                logger.error("%s", error, exc_info=error.__cause__)
                raise
            finally:
                if before_freeze.receivers:
                    send_before_freeze(current)

    return handler


def managing_connections(serve: Serve) -> Serve:
    """
    Close expired and broken database connections before and after each invocation.

    Django's own handler does so for web requests, by its signals.
    """

    @wraps(serve)
    def served(invocation: Invocation) -> Any:
        close_old_connections()
        try:
            return serve(invocation)
        finally:
            close_old_connections()

    return served


def function(build: Callable[[], Serve]) -> Callable[[], Handler]:
    """
    Make ``build`` return the Lambda handler of the function that has its name.

    All functions share one lambda_entry, and each needs only its own handler, whose
    name Lambda puts into _HANDLER: the others are not built. Elsewhere all are.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """

    @wraps(build)
    def factory() -> Handler:
        wanted = os.environ.get("_HANDLER", "").rpartition(".")[2]
        if wanted not in ("", build.__name__):
            return not_built
        return lambda_handler(build())

    return factory


def not_built(event: Any, context: Any) -> Any:
    raise RuntimeError(
        f"_HANDLER is {os.environ.get('_HANDLER')!r}: only that handler was built."
    )


def make_handler(application: "WSGIApplication", **options: Any) -> Handler:
    """
    Return a Lambda handler that serves web requests with a WSGI application.

    The options are those of ``http.gateway.make_gateway``.
    """
    return lambda_handler(make_gateway(application, **options))


@function
def http() -> Serve:
    """Build the handler of web requests: the Django project behind the gateway."""
    application = get_wsgi_application()
    warm_up(application, conf.get("LAMBDA_WARM_UP_PATHS"))
    return make_gateway(
        application,
        base_path=conf.get("LAMBDA_BASE_PATH"),
        scheme=conf.get("LAMBDA_URL_SCHEME"),
        trusted_proxies=conf.get("LAMBDA_TRUSTED_PROXIES"),
        deadline_margin=conf.get("LAMBDA_DEADLINE_MARGIN"),
    )


# The modules below are imported by the function that needs them, and by no other.


@function
def tasks() -> Serve:
    """Build the handler of the messages in a task queue. It needs Django 6."""
    from .tasks import consumer

    # Where projects define tasks, by convention. Imported now, the first is quick.
    autodiscover_modules("tasks")
    return managing_connections(consumer.serve)


@function
def schedule() -> Serve:
    """Build the handler of schedules: management commands on a schedule."""
    from .commands import schedule

    return managing_connections(schedule.serve)


@function
def manage() -> Serve:
    """Build the handler of `manage.py remote`: commands that an operator sends."""
    from .commands import manage

    return managing_connections(manage.serve)
