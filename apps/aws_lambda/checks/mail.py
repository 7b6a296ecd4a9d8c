"""E-mail: where it goes."""

import warnings
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.mail.backends.smtp import EmailBackend

from ..settings.mail import is_remote, servers
from .lookup import is_subclass


def email_setting(name: str) -> Any:
    # Since 6.1 Django warns of it, wherever it is read.
    with warnings.catch_warnings(action="ignore"):
        return getattr(settings, name)


def localhost() -> Iterator[CheckMessage]:
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
