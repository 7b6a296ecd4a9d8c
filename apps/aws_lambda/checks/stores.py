"""What is kept between requests must be kept where all environments look."""

from collections.abc import Iterator
from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends import cache, cached_db, file
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning

from .lookup import has_middleware, is_subclass, names

SHARED = (
    "Use a store that all environments share: "
    "'django.core.cache.backends.db.DatabaseCache', Redis or DynamoDB."
)


def backend(alias: str) -> str:
    path: str = settings.CACHES.get(alias, {}).get("BACKEND", "")
    return path


def is_private(alias: str) -> bool:
    """Is the cache one environment's own, with its own idea of the truth?"""
    return is_subclass(backend(alias), LocMemCache, FileBasedCache)


def forgets(alias: str) -> bool:
    """Does what one environment puts into the cache never reach another?"""
    return is_private(alias) or is_subclass(backend(alias), DummyCache)


def default_cache() -> Iterator[CheckMessage]:
    if is_private("default"):
        why = "each execution environment has one of its own, which no other can clear"
    elif forgets("default"):
        why = "it keeps nothing"
    else:
        return
    yield CheckWarning(
        f"CACHES['default'] is {backend('default')}: {why}, so what is counted, locked "
        "or invalidated in it is wrong.",
        hint=SHARED,
        id="aws_lambda.W005",
    )


def sessions() -> Iterator[CheckMessage]:
    if not has_middleware("django.contrib.sessions.middleware.SessionMiddleware"):
        return
    store = import_module(settings.SESSION_ENGINE).SessionStore
    alias = settings.SESSION_CACHE_ALIAS
    if issubclass(store, file.SessionStore):
        where, effect = "files", "users are logged out at random"
    elif issubclass(store, cache.SessionStore) and forgets(alias):
        where, effect = f"CACHES[{alias!r}]", "users are logged out at random"
    elif issubclass(store, cached_db.SessionStore) and is_private(alias):
        where, effect = f"CACHES[{alias!r}]", "after a logout others keep the session"
    else:
        return
    yield CheckError(
        f"SESSION_ENGINE {settings.SESSION_ENGINE} keeps sessions in {where}, which "
        f"execution environments do not share: {effect}.",
        hint="Set SESSION_ENGINE = 'django.contrib.sessions.backends.db', or "
        "SESSION_CACHE_ALIAS to a cache that all environments share.",
        id="aws_lambda.E011",
    )


def throttles() -> Iterator[CheckMessage]:
    for where, alias in throttle_caches():
        if forgets(alias):
            yield CheckError(
                f"{where} counts in CACHES[{alias!r}], {backend(alias)}: each "
                "execution environment counts for itself, so the limit grows with "
                "the load.",
                hint=SHARED,
                id="aws_lambda.E012",
            )


def throttle_caches() -> Iterator[tuple[str, str]]:
    """Yield what limits attempts, and the alias of the cache it counts in."""
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
