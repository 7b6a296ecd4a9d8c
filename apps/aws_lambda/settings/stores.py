"""Caches and sessions: execution environments do not share a disk or a memory."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import global_settings

from .site import Site

PER_PROCESS = ("LocMemCache", "DummyCache", "FileBasedCache")
SESSIONS = "django.contrib.sessions.backends"

# What Django's backends import when they are used first.
LIBRARIES = {
    "django.core.cache.backends.memcached.PyLibMCCache": "pylibmc",
    "django.core.cache.backends.memcached.PyMemcacheCache": "pymemcache",
    "django.core.cache.backends.redis.RedisCache": "redis",
}
# The others are named like their module.
DISTRIBUTIONS = {"storages": "django-storages"}


def missing_distribution(*paths: str) -> str | None:
    """
    Return what to install so that a backend can be used, or None.

    ``paths`` are the dotted names of its class and of its ancestors, or of its module.
    Nothing is imported.
    """
    roots = [path.partition(".")[0] for path in paths]
    needed = roots + [LIBRARIES[path] for path in paths if path in LIBRARIES]
    missing = next((name for name in needed if name and not find_spec(name)), None)
    return missing and DISTRIBUTIONS.get(missing, missing.replace("_", "-"))


def class_name(cache: Any) -> str:
    name: str = cache.get("BACKEND", "").rpartition(".")[2]
    return name


def is_per_process(site: Site, alias: str) -> bool:
    """Return whether no other execution environment sees what a cache stores."""
    return class_name(site.get("CACHES").get(alias, {})) in PER_PROCESS


def file_caches(site: Site) -> None:
    """Move caches in files to /tmp, where a function can write."""
    caches, moved = {}, []
    for alias, cache in site.get("CACHES").items():
        location = cache.get("LOCATION", "")
        if class_name(cache) == "FileBasedCache" and not site.is_writable(location):
            name = Path(str(location)).name or "cache"
            cache = {**cache, "LOCATION": f"/tmp/{name}-{alias}"}  # noqa: S108
            moved.append(alias)
        caches[alias] = cache
    if moved:
        site.change(
            "CACHES",
            caches,
            f"{', '.join(moved)}: files below /tmp",
            "All other folders are read-only. Each environment has its own /tmp.",
        )
    # Most sites with Django's own default cache nothing.
    if site.get("CACHES") != global_settings.CACHES and is_per_process(site, "default"):
        site.advise(
            "CACHES['default']",
            "Each execution environment has a cache of its own: what one deletes stays "
            "in the others, and counters count in one. A shared one is "
            "django.core.cache.backends.db.DatabaseCache, with the table that "
            "'manage.py createcachetable' makes, or Redis.",
        )


def libraries(site: Site) -> None:
    """Report caches whose backend cannot be used: the first use would fail."""
    for alias, cache in site.get("CACHES").items():
        backend = cache.get("BACKEND", "")
        if distribution := missing_distribution(backend):
            site.advise(
                f"CACHES[{alias!r}]",
                f"{backend} needs {distribution}, which is not installed: add it to "
                "the dependencies of the site, which are in the package.",
                blocks=True,
            )


def sessions(site: Site) -> None:
    """
    Keep sessions in the database if no other environment would see them.

    The table exists, because the app is installed. A session that a shared cache
    holds stays there.
    """
    engine = site.get("SESSION_ENGINE")
    alias = site.get("SESSION_CACHE_ALIAS")
    cached = engine in (f"{SESSIONS}.cache", f"{SESSIONS}.cached_db")
    if not site.is_installed("django.contrib.sessions"):
        return
    if engine == f"{SESSIONS}.file" or (cached and is_per_process(site, alias)):
        site.change(
            "SESSION_ENGINE",
            f"{SESSIONS}.db",
            f"{SESSIONS}.db instead of {engine.rpartition('.')[2]}",
            "Users would be logged out when another execution environment answers, or "
            "stay logged in there after a logout.",
        )
