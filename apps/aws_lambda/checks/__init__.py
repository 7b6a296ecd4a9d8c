"""
System checks: what is wrong on Lambda, and Django cannot know.

A check always runs if no machine has a good reason for what it finds. It waits
for ``check --deploy`` if a developer may be right to have it: a cache in memory,
a wildcard host. So the app needs no notion of a local stage.

An Error breaks requests or lets somebody in; a Warning will hurt. Each is
explained in docs/checks.md.
"""

from collections.abc import Callable, Iterable

from django.core.checks import CheckMessage

from . import database, files, gateway, middleware, security, static, stores

Check = Callable[[], Iterable[CheckMessage]]

ALWAYS: tuple[Check, ...] = (
    database.pool,
    gateway.values,
    gateway.function_timeout,
    middleware.order,
    middleware.xray_name,
)

DEPLOYMENT: tuple[Check, ...] = (
    database.health_checks,
    database.timeouts,
    database.tls,
    database.budget,
    files.default_storage,
    files.upload_handlers,
    files.body_limit,
    middleware.missing,
    middleware.error_views,
    security.debug,
    security.hosts,
    security.forwarded_headers,
    security.csrf_origins,
    security.cors,
    static.manifest,
    static.prefix,
    stores.default_cache,
    stores.sessions,
    stores.throttles,
)
