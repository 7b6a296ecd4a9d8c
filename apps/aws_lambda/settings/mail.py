"""Mail: kept on a developer's machine; a server must not hold a request."""

import re
from typing import Any

from ..database.profiles import on_this_machine
from . import variables
from .site import Site

SMTP = "django.core.mail.backends.smtp.EmailBackend"
FILES = "django.core.mail.backends.filebased.EmailBackend"
# Those of Django that send nothing, and those of SES, which the local AWS has.
STAYING = re.compile(
    r"django\.core\.mail\.backends\.(console|dummy|filebased|locmem)\.|.*\b(\w+_)?ses(v[12])?\b"
)
# Less than the timeout of any gateway.
TIMEOUT_SECONDS = 10

WHY = "Without one, a server that does not answer holds the request until its end."


def kept(site: Site) -> None:
    """Keep e-mail in the folder LAMBDA_EMAIL_FOLDER instead of sending it."""
    folder = variables.read("LAMBDA_EMAIL_FOLDER")
    if not folder:
        return
    what, why = f"kept in {folder}", "`run` shows it: nothing is sent from here."
    if "MAILERS" in site.namespace:
        instead = {"BACKEND": FILES, "OPTIONS": {"file_path": folder}}
        mailers = {
            alias: mailer if STAYING.match(mailer.get("BACKEND", SMTP)) else instead
            for alias, mailer in site.get("MAILERS").items()
        }
        site.change("MAILERS", mailers, what, why)
    elif not STAYING.match(site.get("EMAIL_BACKEND")):
        site.change("EMAIL_BACKEND", FILES, what, why)
        site.change("EMAIL_FILE_PATH", folder, what, why)


def timeouts(site: Site) -> None:
    """
    Give up on an SMTP server after some seconds.

    Django 6.1 has MAILERS, and refuses any EMAIL_ setting beside it.
    """
    if "MAILERS" in site.namespace:
        mailers = {alias: timed(m) for alias, m in site.get("MAILERS").items()}
        site.change("MAILERS", mailers, f"a timeout of {TIMEOUT_SECONDS} s", WHY)
    elif (
        site.get("EMAIL_BACKEND") == SMTP
        and is_remote(site.get("EMAIL_HOST"))
        and site.get("EMAIL_TIMEOUT") is None
    ):
        site.change("EMAIL_TIMEOUT", TIMEOUT_SECONDS, f"{TIMEOUT_SECONDS} s", WHY)


def timed(mailer: Any) -> Any:
    options = mailer.get("OPTIONS", {})
    if mailer.get("BACKEND", SMTP) != SMTP or not is_remote(options.get("host")):
        return mailer
    if options.get("timeout") is not None:
        return mailer
    return {**mailer, "OPTIONS": {**options, "timeout": TIMEOUT_SECONDS}}


def is_remote(host: Any) -> bool:
    return not on_this_machine(str(host or ""))
