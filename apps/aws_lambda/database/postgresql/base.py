"""The backend itself: ENGINE = "apps.aws_lambda.database.postgresql"."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from django.db.backends.postgresql import base
from environ import Env

from ...parameters import references as parameters
from .. import health_check
from .iam import Tokens

logger = logging.getLogger(__name__)

# What libpq itself reads when the settings name no user or no password.
LIBPQ = ("PGUSER", "PGPASSWORD")
# What a URL says of who we are, and of where the database is.
LOGIN = ("USER", "PASSWORD")
PLACE = ("HOST", "PORT", "NAME")

# One for all connections of this process.
tokens = Tokens()


class DatabaseWrapper(base.DatabaseWrapper):
    """
    Connect, and once more if the credential was refused and there is a new one.

    A password is rotated while environments that know the old one live on. After
    a refusal, the parameters and secrets that this server's URL, PGUSER and
    PGPASSWORD came from are fetched again.

    With the option ``aws_iam_auth`` the password is a token for the function's
    role. The server looks at it only when a connection begins, so a connection may
    outlive its token.
    """

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        if params.pop("aws_iam_auth", False):
            port = str(params.get("port", 5432))
            params["password"] = tokens.get(params["host"], port, params["user"])
        return params

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        try:
            return super().get_new_connection(conn_params)
        except self.Database.OperationalError as error:
            if not _was_refused(error) or not self._renew_credential():
                raise
        return super().get_new_connection(self.get_connection_params())

    def is_usable(self) -> bool:
        """Answer CONN_HEALTH_CHECKS in bounded time, unlike Django's own check."""
        connection = self.connection
        return connection is not None and health_check.answers(connection.pgconn)

    def move(self, replaced: Mapping[str, str]) -> None:
        """
        Connect elsewhere from now on, if the URL of this database was replaced.

        ``replaced`` maps old values of variables to new ones. A password alone is
        also found when the old one is refused; another server is not.
        """
        here = _place(self.settings_dict)
        for old, new in replaced.items():
            if _is_url(old) and _is_url(new) and _place(_parse(old)) == here:
                self.settings_dict.update({k: _parse(new)[k] for k in LOGIN + PLACE})

    def _renew_credential(self) -> bool:
        """Tell whether there is another credential now."""
        if self.settings_dict["OPTIONS"].get("aws_iam_auth"):
            tokens.forget()
            return True
        old = self._credential()
        urls = [name for name, value in os.environ.items() if self._login_in(value)]
        try:
            fetched = parameters.refresh(*LIBPQ, *urls)
        except parameters.ParametersError as error:
            logger.error("The database refused its credential. %s", error)
            return False
        for value in fetched.values():
            self.settings_dict.update(self._login_in(value))
        return self._credential() != old

    def _credential(self) -> list[str | None]:
        settings = (self.settings_dict["USER"], self.settings_dict["PASSWORD"])
        return [*settings, *map(os.environ.get, LIBPQ)]

    def _login_in(self, value: str) -> dict[str, str]:
        """Return the user and password if this is the URL of our server, or nothing."""
        if not _is_url(value):
            return {}
        url = _parse(value)
        if any(str(url[k]) != str(self.settings_dict[k]) for k in ("HOST", "PORT")):
            return {}
        return {k: url[k] for k in LOGIN}


def _is_url(value: str) -> bool:
    return value.partition("://")[0] in Env.DB_SCHEMES


def _parse(url: str) -> dict[str, Any]:
    settings: dict[str, Any] = Env.db_url_config(url)
    return settings


def _place(settings: Mapping[str, Any]) -> list[str]:
    return [str(settings[k]) for k in PLACE]


def _was_refused(error: Exception) -> bool:
    # libpq does not tell the SQLSTATE (28P01 or 28000) of a connection that failed,
    # only the server's words: "password authentication failed for user", "PAM
    # authentication failed" for a token, "The IAM authentication failed" from RDS
    # Proxy. A server with another lc_messages than English is not understood.
    return "authentication failed" in str(error)
