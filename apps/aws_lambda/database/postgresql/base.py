"""The backend that Django loads if ENGINE is the name of this package."""

import logging
import os
import select
import time
from collections.abc import Mapping
from typing import Any

from django.db.backends.postgresql import base
from environ import Env
from psycopg import OperationalError
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from ... import parameters
from .iam import TokenCache

logger = logging.getLogger(__name__)

# A server in the same region answers in about a millisecond. Together with the time
# to connect, a dead connection costs a request less than three seconds.
HEALTH_CHECK_TIMEOUT_SECONDS = 2.0

# The variables that libpq reads when the settings have no user or no password.
LIBPQ_VARIABLES = ("PGUSER", "PGPASSWORD")
# The parts of a database URL that log in, and those that locate the database.
LOGIN_KEYS = ("USER", "PASSWORD")
ADDRESS_KEYS = ("HOST", "PORT", "NAME")

# One for all connections of this process.
tokens = TokenCache()


class DatabaseWrapper(base.DatabaseWrapper):
    """
    Connect, and retry once if the server rejected a credential that has changed.

    A password is rotated while environments still use the old one. When the server
    rejects it, the parameters and secrets behind this server's URL, PGUSER and
    PGPASSWORD are fetched again.

    With the option ``aws_iam_auth`` the password is an RDS token for the function's
    role. The server checks it only when a connection begins, so a connection may
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
            if not is_login_failure(error) or not self._renew_credential():
                raise
        return super().get_new_connection(self.get_connection_params())

    def is_usable(self) -> bool:
        """Answer CONN_HEALTH_CHECKS in bounded time, unlike Django's own check."""
        return self.connection is not None and responds(self.connection.pgconn)

    def follow_url(self, replaced: Mapping[str, str]) -> None:
        """
        Use the new URL from now on, if this database's own URL was replaced.

        ``replaced`` maps old values of variables to new ones. A failed login would
        find a new password too, but not a new server.
        """
        address = _address(self.settings_dict)
        for old, new in replaced.items():
            if _is_url(old) and _is_url(new) and _address(_parse(old)) == address:
                url = _parse(new)
                self.settings_dict.update(
                    {k: url[k] for k in LOGIN_KEYS + ADDRESS_KEYS}
                )

    def _renew_credential(self) -> bool:
        """Return whether there is another credential to try."""
        if self.settings_dict["OPTIONS"].get("aws_iam_auth"):
            tokens.clear()
            return True
        old = self._credential()
        urls = [name for name, value in os.environ.items() if self._login_in(value)]
        try:
            fetched = parameters.refresh(*LIBPQ_VARIABLES, *urls)
        except parameters.ParametersError as error:
            logger.error(
                "The database rejected the login, and the credential could not be "
                "fetched again. %s",
                error,
            )
            return False
        for value in fetched.values():
            self.settings_dict.update(self._login_in(value))
        return self._credential() != old

    def _credential(self) -> list[str | None]:
        settings = (self.settings_dict["USER"], self.settings_dict["PASSWORD"])
        return [*settings, *map(os.environ.get, LIBPQ_VARIABLES)]

    def _login_in(self, value: str) -> dict[str, str]:
        """Return user and password if the value is a URL of this server, or {}."""
        if not _is_url(value):
            return {}
        url = _parse(value)
        if any(str(url[k]) != str(self.settings_dict[k]) for k in ("HOST", "PORT")):
            return {}
        return {k: url[k] for k in LOGIN_KEYS}


def responds(
    connection: PGconn, timeout_seconds: float = HEALTH_CHECK_TIMEOUT_SECONDS
) -> bool:
    """
    Return whether the server answers a query on this connection in time.

    Django's own check waits without a limit when the other side dropped the
    connection silently, as a NAT gateway, a failed host or a stuck proxy does.
    ``tcp_user_timeout`` ends that only if the other side's kernel is gone too: while
    the kernel acknowledges what it receives, TCP sees no fault.

    Close the connection after False: an answer may still arrive.
    """
    deadline = time.monotonic() + timeout_seconds
    poll = select.poll()
    try:
        poll.register(connection.socket, select.POLLIN)
        connection.send_query(b"SELECT 1")
        while True:
            # psycopg's sockets do not block: a full buffer is flushed in parts.
            while connection.flush() or connection.is_busy():
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return False
                poll.poll(remaining * 1000)
                connection.consume_input()
            # It blocks while the connection is busy, hence the loop above.
            result = connection.get_result()
            if result is None:
                return True
            if result.status != ExecStatus.TUPLES_OK:
                return False
    except OperationalError:
        return False


def _is_url(value: str) -> bool:
    return value.partition("://")[0] in Env.DB_SCHEMES


def _parse(url: str) -> dict[str, Any]:
    settings: dict[str, Any] = Env.db_url_config(url)
    return settings


def _address(settings: Mapping[str, Any]) -> list[str]:
    return [str(settings[k]) for k in ADDRESS_KEYS]


def is_login_failure(error: Exception) -> bool:
    """Return whether the server rejected user and password."""
    # libpq does not pass on the SQLSTATE (28P01 or 28000) of a failed connection, only
    # the server's text: "password authentication failed for user", "PAM
    # authentication failed" for a token, "The IAM authentication failed" from RDS
    # Proxy. A server whose lc_messages is not English is not recognised.
    return "authentication failed" in str(error)
