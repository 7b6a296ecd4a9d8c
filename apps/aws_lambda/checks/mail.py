"""E-mail: where it goes."""

import warnings
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import global_settings, settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.mail.backends.smtp import EmailBackend

from ..settings.mail import is_remote, servers
from .lookup import is_subclass, view_classes


def email_setting(name: str) -> Any:
    # Since 6.1 Django warns of it, wherever it is read.
    with warnings.catch_warnings(action="ignore"):
        return getattr(settings, name, None)


# A site that sets one of these wants e-mail.
OF_EMAIL = ("ADMINS", "EMAIL_BACKEND", "EMAIL_HOST", "MAILERS", "MANAGERS")


def sends_mail() -> bool:
    """Return whether the site has set e-mail up, or has a page that sends some."""
    for name in OF_EMAIL:
        if email_setting(name) != getattr(global_settings, name, None):
            return True
    if not apps.is_installed("django.contrib.auth"):
        return False
    from django.contrib.auth.views import PasswordResetView

    return any(issubclass(view, PasswordResetView) for view in view_classes())


def localhost() -> Iterator[CheckMessage]:
    """Django's default is a server on this machine, for sites without e-mail too."""
    if not sends_mail():
        return
    mailers = getattr(settings, "MAILERS", None)
    for server in servers(email_setting, mailers):
        if is_subclass(server.backend, EmailBackend) and not is_remote(server.host):
            yield CheckWarning(
                f"{server.setting} is {server.backend} with the host "
                f"{server.host or 'localhost'}: no mail server runs on Lambda, so each "
                "e-mail fails, such as a password reset.",
                hint="Set the parameter mailFrom (the variable MAIL_FROM), by which "
                "SES sends it, or the host of an SMTP server: docs/operate.md#e-mail. "
                "If the site sends no e-mail, silence this check.",
                id="aws_lambda.W016",
            )
