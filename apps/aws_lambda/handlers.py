"""One handler per kind of event; lambda_entry names them."""

import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.utils.module_loading import autodiscover_modules

from . import conf
from .http.gateway import Handler, make_handler
from .lifecycle import finishing
from .warm_up import warm_up

AnyHandler = Callable[[Any, Any], Any]


def for_its_function(build: Callable[[], AnyHandler]) -> Callable[[], AnyHandler]:
    """
    Build the handler now, unless Lambda says that another one is wanted.

    All functions share one lambda_entry, and each needs only the handler of its
    own name, which Lambda puts into _HANDLER. Elsewhere all are built.
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """

    @wraps(build)
    def factory() -> AnyHandler:
        wanted = os.environ.get("_HANDLER", "").rpartition(".")[2]
        if wanted not in ("", build.__name__):
            return not_built
        return finishing(build())

    return factory


def not_built(event: Any, context: Any) -> Any:
    raise RuntimeError("This handler belongs to another function.")


@for_its_function
def http() -> Handler:
    """Build the handler of web requests: the Django project behind the gateway."""
    application = get_wsgi_application()
    warm_up(application, conf.get("LAMBDA_WARM_UP_PATHS"))
    return make_handler(
        application,
        base_path=conf.get("LAMBDA_BASE_PATH"),
        scheme=conf.get("LAMBDA_URL_SCHEME"),
        trusted_proxies=conf.get("LAMBDA_TRUSTED_PROXIES"),
        deadline_margin=conf.get("LAMBDA_DEADLINE_MARGIN"),
    )


@for_its_function
def tasks() -> AnyHandler:
    """Build the handler of the messages in a task queue. It needs Django 6."""
    from .tasks.consumer import make_handler

    # Where tasks are kept, by convention. Loaded now, the first is quick.
    autodiscover_modules("tasks")
    return make_handler()


@for_its_function
def schedule() -> AnyHandler:
    """Build the handler of schedules: the commands that run by the clock."""
    # No other function needs what this imports.
    from .commands.schedule import make_schedule_handler

    return make_schedule_handler()


@for_its_function
def manage() -> AnyHandler:
    """Build the handler of `manage.py remote`: the commands that an operator sends."""
    from .commands.manage import make_manage_handler

    return make_manage_handler()
