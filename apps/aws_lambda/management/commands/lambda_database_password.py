"""Give the site's database role the password that is in DATABASE_URL now."""

from contextlib import closing
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, connections

from ... import parameters
from ...commands.remote.errors import LOGIN_REJECTED

ENGINE = f"{__package__.rpartition('.management')[0]}.database.postgresql"
LOGIN = ("USER", "HOST", "PORT", "NAME")


class Command(BaseCommand):
    """
    Log in with the newest value of the URL; with --former, make that possible.

    The new password is read from the parameter to which the variable refers, and is
    neither an argument nor in a log: the server gets its SCRAM verifier only.
    """

    help = (
        "Check that the database accepts the newest value of DATABASE_URL. With "
        "--former, log in with an earlier one, and set the role's password to it."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--former",
            type=int,
            metavar="VERSION",
            help="The version of the parameter whose value the server accepts.",
        )
        parser.add_argument("--variable", default="DATABASE_URL")
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, metavar="ALIAS")

    def handle(self, *args: Any, **options: Any) -> None:
        """
        Check the password, and with --former set it if the server rejects it.

        Raises CommandError if the server rejects both, cannot be reached or refuses the
        statement, or if environments that run would not read the new password.
        """
        connection, variable = connections[options["database"]], options["variable"]
        engine = connection.settings_dict["ENGINE"]
        if engine != ENGINE:
            raise CommandError(
                f"DATABASES[{options['database']!r}]['ENGINE'] is {engine}, with which "
                "environments that run keep the former password. Use "
                f"{ENGINE}, which fetches it again (docs/secrets.md)."
            )
        try:
            new = parameters.refresh(variable).get(variable)
            if new is None:
                raise CommandError(
                    f"{variable} refers to no parameter, so it has no newer value: "
                    "docs/secrets.md"
                )
            if accepts(connection, new):
                self.stdout.write(f"The database accepts {variable}.")
                return
            if options["former"] is None:
                raise CommandError(
                    f"The database rejects the login in {variable}.",
                    returncode=LOGIN_REJECTED,
                )
            former = parameters.read_version(variable, options["former"])
        except parameters.ParametersError as error:
            raise CommandError(str(error)) from error
        set_password(connection, former, new)
        if not accepts(connection, new):
            raise CommandError(f"The database still rejects the login in {variable}.")
        self.stdout.write(f"The role has the password in {variable}.")


def accepts(connection: Any, url: str) -> bool:
    """Return whether the server accepts the login in a URL. Raises CommandError."""
    from ...database.postgresql.base import is_login_failure

    try:
        connect(connection, url).close()
    except connection.Database.OperationalError as error:
        if is_login_failure(error):
            return False
        # Its text may have the password.
        raise CommandError(
            "The database could not be reached, or refused the connection: "
            "make doctor asks why (docs/troubleshoot.md)."
        ) from None
    return True


def set_password(connection: Any, former: str, new: str) -> None:
    """Set the password of the role, logged in with the former URL."""
    from environ import Env
    from psycopg import Error, sql

    before, after = Env.db_url_config(former), Env.db_url_config(new)
    if any(str(before[key]) != str(after[key]) for key in LOGIN):
        raise CommandError(
            "The two URLs differ in more than the password. Change the user, the host "
            "or the database by hand: docs/secrets.md#the-database-password"
        )
    try:
        with closing(connect(connection, former)) as opened:
            verifier = opened.pgconn.encrypt_password(
                str(after["PASSWORD"]).encode(), str(after["USER"]).encode()
            )
            statement = sql.SQL("ALTER ROLE CURRENT_USER PASSWORD {}")
            opened.execute(statement.format(sql.Literal(verifier.decode())))
            opened.commit()
    except Error as error:
        # The text of a failed connection may have the password.
        reason = f" ({error.sqlstate})" if error.sqlstate else ""
        raise CommandError(
            f"The database rejects the former login too, or the statement{reason}. "
            "Store a URL that it accepts in the parameter: docs/secrets.md"
        ) from None


def connect(connection: Any, url: str) -> Any:
    """Return a new connection with the login of a URL, without the engine's retry."""
    from environ import Env

    copied = connection.copy()
    parsed = Env.db_url_config(url)
    copied.settings_dict.update({key: parsed[key] for key in (*LOGIN, "PASSWORD")})
    return copied.Database.connect(**copied.get_connection_params())
