"""Sessions, caches and throttles: shared by all execution environments."""

import sys
from collections.abc import Iterator
from importlib import import_module

from django.apps import apps
from django.conf import global_settings, settings
from django.contrib.sessions.backends import cache, cached_db, file
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning

from ..settings.stores import missing_distribution
from .lookup import has_middleware, is_subclass, names

SHARED = (
    "Use a cache that all execution environments share: "
    "'django.core.cache.backends.db.DatabaseCache', Redis or DynamoDB."
)


def backend(alias: str) -> str:
    path: str = settings.CACHES.get(alias, {}).get("BACKEND", "")
    return path


def is_private(alias: str) -> bool:
    """Return whether each execution environment has a cache of its own."""
    return is_subclass(backend(alias), LocMemCache, FileBasedCache)


def forgets(alias: str) -> bool:
    """Return whether an entry is never visible to another execution environment."""
    return is_private(alias) or is_subclass(backend(alias), DummyCache)


def libraries() -> Iterator[CheckMessage]:
    for setting, path in backends():
        if distribution := missing_distribution(path, *names(path)):
            yield CheckError(
                f"{setting} is {path}, which needs {distribution}, and "
                f"{sys.executable} does not have it: the first use fails.",
                hint=f"Add {distribution} to the dependencies and install it, or name "
                "another backend in the setting, or in the variable that it comes "
                "from, such as CACHE_URL.",
                id="aws_lambda.E022",
            )


def backends() -> Iterator[tuple[str, str]]:
    """Yield settings with the paths of what Django imports at the first use."""
    for alias in settings.CACHES:
        yield f"CACHES[{alias!r}]['BACKEND']", backend(alias)
    for alias, storage in settings.STORAGES.items():
        yield f"STORAGES[{alias!r}]['BACKEND']", storage.get("BACKEND", "")
    yield "SESSION_ENGINE", settings.SESSION_ENGINE


def default_cache() -> Iterator[CheckMessage]:
    # Most sites with Django's own default cache nothing.
    if settings.CACHES != global_settings.CACHES and is_private("default"):
        yield CheckWarning(
            f"CACHES['default'] is {backend('default')}: each execution environment "
            "has its own, which the others cannot invalidate, so counters, locks and "
            "invalidation do not work across environments.",
            hint=SHARED,
            id="aws_lambda.W005",
        )


def sessions() -> Iterator[CheckMessage]:
    if not has_middleware("django.contrib.sessions.middleware.SessionMiddleware"):
        return
    if missing_distribution(settings.SESSION_ENGINE):
        # E022 reports it.
        return
    store = import_module(settings.SESSION_ENGINE).SessionStore
    alias = settings.SESSION_CACHE_ALIAS
    if issubclass(store, file.SessionStore):
        where, effect = "files", "users are logged out at random"
    elif issubclass(store, cache.SessionStore) and forgets(alias):
        where, effect = f"CACHES[{alias!r}]", "users are logged out at random"
    elif issubclass(store, cached_db.SessionStore) and is_private(alias):
        where, effect = (
            f"CACHES[{alias!r}]",
            "a logout does not end the session in the others",
        )
    else:
        return
    yield CheckError(
        f"SESSION_ENGINE {settings.SESSION_ENGINE} stores sessions in {where}, which "
        f"execution environments do not share: {effect}.",
        hint="Set SESSION_ENGINE = 'django.contrib.sessions.backends.db', or "
        "SESSION_CACHE_ALIAS to a shared cache.",
        id="aws_lambda.E011",
    )


def throttles() -> Iterator[CheckMessage]:
    for where, alias in throttle_caches():
        if forgets(alias):
            yield CheckError(
                f"{where} counts in CACHES[{alias!r}], {backend(alias)}: each "
                "execution environment counts on its own, so the effective limit grows "
                "with the number of environments.",
                hint=SHARED,
                id="aws_lambda.E012",
            )


def throttle_caches() -> Iterator[tuple[str, str]]:
    """Yield the setting of each throttle, and the alias of its cache."""
    if apps.is_installed("axes") and getattr(settings, "AXES_ENABLED", True):
        handler = getattr(settings, "AXES_HANDLER", "")
        if "axes.handlers.cache.AxesCacheHandler" in names(handler):
            yield f"AXES_HANDLER {handler}", getattr(settings, "AXES_CACHE", "default")
    if getattr(settings, "RATELIMIT_ENABLE", True) and (
        apps.is_installed("django_ratelimit")
        or hasattr(settings, "RATELIMIT_USE_CACHE")
    ):
        alias = getattr(settings, "RATELIMIT_USE_CACHE", "default")
        yield f"django-ratelimit (RATELIMIT_USE_CACHE = {alias!r})", alias
    if getattr(settings, "REST_FRAMEWORK", {}).get("DEFAULT_THROTTLE_CLASSES"):
        yield "REST_FRAMEWORK['DEFAULT_THROTTLE_CLASSES']", "default"
