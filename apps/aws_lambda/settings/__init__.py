"""
What differs on Lambda, derived from the settings that a site has.

In a settings module of its own, which only the functions name::

    from .production import *  # noqa: F403
    from django_on_lambda.settings import apply

    apply(globals())

Each module here has the rules for one subject. A rule reads the namespace and the
variables of the deployment, changes what does not work on Lambda, and records why.
Nothing here connects to anything. docs/settings.md lists the rules.
"""

from collections.abc import Callable, Iterable
from typing import Any

from . import (
    advice,
    apps,
    databases,
    files,
    hosts,
    logs,
    mail,
    stores,
    tasks,
    variables,
)
from .site import Site

# In this order: a rule sees what those before it have changed.
RULES: tuple[Callable[[Site], None], ...] = (
    variables.lambda_settings,
    hosts.debug,
    hosts.prefix,
    hosts.allowed_hosts,
    hosts.trusted_origins,
    hosts.forwarded_host,
    hosts.plain_http,
    apps.installed_app,
    apps.middleware,
    apps.whitenoise,
    apps.static_scan,
    files.static_root,
    files.static_prefix,
    files.media,
    files.uploads,
    files.content_policy,
    logs.json_lines,
    databases.connections,
    stores.file_caches,
    stores.libraries,
    stores.sessions,
    tasks.queue,
    mail.ses,
    mail.kept,
    mail.timeouts,
    advice.advise,
)


def apply(namespace: dict[str, Any], *, keep: Iterable[str] = ()) -> None:
    """
    Change the settings in ``namespace``, a module's ``globals()``, for Lambda.

    A setting in ``keep`` stays as it is. What was changed, why, and how to keep one's
    own value is in the setting LAMBDA_CHANGES, which ``manage.py lambda_settings``
    prints. Applying it again changes nothing. Raises ImproperlyConfigured if the
    namespace has no settings, for a variable with a wrong value, and if a package
    is missing.
    """
    site = Site(namespace, keep)
    for rule in RULES:
        rule(site)
    site.record()
