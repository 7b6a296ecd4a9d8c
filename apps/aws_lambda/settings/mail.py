"""Mail: a server that does not answer must not hold a request."""

from typing import Any

from ..database.profiles import on_this_machine
from .site import Site

SMTP = "django.core.mail.backends.smtp.EmailBackend"
# Less than the timeout of any gateway.
TIMEOUT_SECONDS = 10

WHY = "Without one, a server that does not answer holds the request until its end."


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
