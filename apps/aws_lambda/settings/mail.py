"""
Mail: by SES instead of a server that is not there, and never without a timeout.

On a developer's machine it is kept.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from ..database.profiles import on_this_machine
from . import variables
from .site import INTEGRATION, Site

SES = f"{INTEGRATION}.mail.SESBackend"
# What startproject writes.
CONSOLE = "django.core.mail.backends.console.EmailBackend"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
FILES = "django.core.mail.backends.filebased.EmailBackend"
# Those of Django that send nothing, and those of SES, which the local AWS has.
STAYING = (
    r"django\.core\.mail\.backends\.(console|dummy|filebased|locmem)\."
    r"|.*(\b(\w+_)?ses(v[12])?\b|\.SESBackend$)"
)
# Django's own senders are webmaster@localhost and root@localhost.
NO_SENDER = "@localhost"
# Less than the timeout of any gateway.
TIMEOUT_SECONDS = 10

WHY_SES = "No mail server runs on Lambda, and the console is the log."
WHY_TIMEOUT = (
    "Without one, a server that does not answer holds the request until its end."
)


class Server(NamedTuple):
    """Where mail goes, and the setting with it."""

    setting: str
    backend: str
    host: Any
    port: Any

    @property
    def is_local(self) -> bool:
        """Return whether mail stays on the machine, by Django's own backends."""
        to_localhost = self.backend == SMTP and not is_remote(self.host)
        return to_localhost or self.backend == CONSOLE


def servers(
    get: Callable[[str], Any], mailers: dict[str, Any] | None
) -> Iterator[Server]:
    """
    Yield where mail goes, by what returns a setting.

    ``mailers`` is MAILERS, which Django has since 6.1, or None without it.
    """
    if mailers is None:
        backend, host, port = map(get, ("EMAIL_BACKEND", "EMAIL_HOST", "EMAIL_PORT"))
        # A site without e-mail may have None.
        yield Server("EMAIL_BACKEND", str(backend or SMTP), host, port)
        return
    for alias, mailer in mailers.items():
        options = mailer.get("OPTIONS", {})
        host, port = options.get("host"), options.get("port", 25)
        backend = mailer.get("BACKEND", SMTP)
        yield Server(f"MAILERS[{alias!r}]", backend, host, port)


def of_site(site: Site) -> list[Server]:
    return [*servers(site.get, site.namespace.get("MAILERS"))]


def ses(site: Site) -> None:
    """
    Send mail with SES if MAIL_FROM is set, and the site's mail would stay on localhost.

    Without MAILERS it stays EMAIL_BACKEND: beside MAILERS Django refuses all EMAIL_
    settings, and get_connection() with a backend.
    """
    sender = variables.read("MAIL_FROM")
    if not sender:
        return
    own = "Unset the variable MAIL_FROM, or use a backend or a server of your own"
    local = [server.setting for server in of_site(site) if server.is_local]
    if local == ["EMAIL_BACKEND"]:
        site.change("EMAIL_BACKEND", SES, f"SES, from {sender}", WHY_SES, own)
    elif local:
        mailers = {
            alias: {"BACKEND": SES} if f"MAILERS[{alias!r}]" in local else mailer
            for alias, mailer in site.get("MAILERS").items()
        }
        site.change("MAILERS", mailers, f"SES, from {sender}", WHY_SES, own)
    if any(server.backend == SES for server in of_site(site)):
        senders(site, sender)


def senders(site: Site, sender: str) -> None:
    """Send from the address that the function's role may send from."""
    for name in ("DEFAULT_FROM_EMAIL", "SERVER_EMAIL"):
        value = str(site.get(name))
        if value.endswith(NO_SENDER):
            site.change(
                name,
                sender,
                f"{sender}, from the variable MAIL_FROM",
                "SES sends from no other address.",
            )
        elif sender not in value:
            site.advise(
                name,
                f"It is {value}, and SES accepts mail from {sender} only: set the "
                "parameter mailFrom to the address in it.",
            )


def kept(site: Site) -> None:
    """Keep e-mail in the folder LAMBDA_EMAIL_FOLDER instead of sending it."""
    folder = variables.read("LAMBDA_EMAIL_FOLDER")
    if not folder:
        return
    what, why = f"kept in {folder}", "`run` shows it: nothing is sent from here."
    if "MAILERS" in site.namespace:
        instead = {"BACKEND": FILES, "OPTIONS": {"file_path": folder}}
        mailers = {
            alias: mailer if re.match(STAYING, mailer.get("BACKEND", SMTP)) else instead
            for alias, mailer in site.get("MAILERS").items()
        }
        site.change("MAILERS", mailers, what, why)
    elif not re.match(STAYING, str(site.get("EMAIL_BACKEND"))):
        site.change("EMAIL_BACKEND", FILES, what, why)
        site.change("EMAIL_FILE_PATH", folder, what, why)


def timeouts(site: Site) -> None:
    """
    Give up on an SMTP server after some seconds.

    Django 6.1 has MAILERS, and refuses any EMAIL_ setting beside it.
    """
    if "MAILERS" in site.namespace:
        mailers = {alias: timed(m) for alias, m in site.get("MAILERS").items()}
        what = f"a timeout of {TIMEOUT_SECONDS} s"
        site.change("MAILERS", mailers, what, WHY_TIMEOUT)
    elif (
        site.get("EMAIL_BACKEND") == SMTP
        and is_remote(site.get("EMAIL_HOST"))
        and site.get("EMAIL_TIMEOUT") is None
    ):
        what = f"{TIMEOUT_SECONDS} s"
        site.change("EMAIL_TIMEOUT", TIMEOUT_SECONDS, what, WHY_TIMEOUT)


def timed(mailer: Any) -> Any:
    options = mailer.get("OPTIONS", {})
    if mailer.get("BACKEND", SMTP) != SMTP or not is_remote(options.get("host")):
        return mailer
    if options.get("timeout") is not None:
        return mailer
    return {**mailer, "OPTIONS": {**options, "timeout": TIMEOUT_SECONDS}}


def is_remote(host: Any) -> bool:
    return not on_this_machine(str(host or ""))
