"""
System checks for problems that occur on Lambda only.

Checks in ``ALWAYS`` run with every command. Those in ``DEPLOYMENT`` run with
``check --deploy``: what they report may be right on a developer's machine, such as a
cache in memory. docs/checks.md explains each of them.

An Error breaks requests or security; a Warning degrades them.
"""

from collections.abc import Callable, Iterable

from django.core.checks import CheckMessage

from . import (
    conf,
    database,
    entry,
    files,
    mail,
    middleware,
    security,
    static,
    stores,
    uploads,
    urls,
)

Check = Callable[[], Iterable[CheckMessage]]

ALWAYS: tuple[Check, ...] = (
    conf.values,
    database.pool,
    middleware.order,
    stores.libraries,
)

DEPLOYMENT: tuple[Check, ...] = (
    database.health_checks,
    database.timeouts,
    database.tls,
    entry.other_settings,
    entry.wsgi_application,
    files.default_storage,
    files.upload_handlers,
    files.body_limit,
    mail.localhost,
    middleware.missing,
    middleware.error_views,
    middleware.static_scan,
    security.debug,
    security.hosts,
    security.no_hosts,
    security.forwarded_host,
    security.origin_secret,
    security.csrf_origins,
    security.cors,
    static.root,
    static.manifest,
    static.manifest_file,
    static.prefix,
    stores.default_cache,
    stores.sessions,
    stores.throttles,
    uploads.middleware,
    uploads.policy,
    urls.outside_prefix,
)
