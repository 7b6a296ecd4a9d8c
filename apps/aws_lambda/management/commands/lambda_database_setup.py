"""Set the defaults of the site's database role that a Lambda function needs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper


class Command(BaseCommand):
    """
    Print the ALTER ROLE statements for the login role, and run them with --apply.

    The limits are defaults of the role, because RDS Proxy and pgbouncer reject them as
    connection options, and a SET statement costs a round trip per connection and pins
    the connection of RDS Proxy.
    """

    help = (
        "Print the ALTER ROLE statements that set the database role's limits for "
        "Lambda. With --apply, run them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--apply", action="store_true", help="Run the statements in a transaction."
        )
        parser.add_argument(
            "--statement-timeout",
            type=int,
            default=25,
            metavar="SECONDS",
            help="Less than the function's timeout, so that a slow query fails before "
            "Lambda ends the environment (default: 25).",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, metavar="ALIAS")

    def handle(self, *args: Any, **options: Any) -> None:
        """
        Print the role and the statements, and run them with --apply.

        Raises CommandError if the engine is not PostgreSQL, the server cannot be
        reached, or it rejects a statement. Then no statement has an effect.
        """
        connection = connections[options["database"]]
        seconds = options["statement_timeout"]
        if connection.vendor != "postgresql":
            raise CommandError(
                f"DATABASES[{options['database']!r}] is {connection.display_name}. "
                "Only PostgreSQL has roles to set up."
            )
        if seconds < 1:
            raise CommandError(
                f"--statement-timeout is {seconds}. It must be at least 1 second."
            )
        try:
            with transaction.atomic(options["database"]), connection.cursor() as cursor:
                self.set_up(cursor, connection, seconds, apply=options["apply"])
        except Error as error:
            raise CommandError(
                f"Nothing was changed. The server reports: {str(error).strip()}"
            ) from error
        if options["apply"]:
            self.stdout.write(
                "-- Done. The limits apply to connections that begin from now on."
            )
        else:
            self.stdout.write("-- Nothing was changed. To run them, add: --apply")

    def set_up(
        self,
        cursor: CursorWrapper,
        connection: BaseDatabaseWrapper,
        seconds: int,
        *,
        apply: bool,
    ) -> None:
        server = connection.settings_dict
        cursor.execute("SELECT session_user, current_database(), version()")
        role, database, version = cursor.fetchone()
        self.stdout.write(
            f"-- Role {role}, database {database}, server "
            f"{server['HOST'] or 'localhost'}:{server['PORT'] or 5432}, "
            f"{version.partition(' on ')[0]}"
        )
        for name, value in role_parameters(seconds).items():
            if not accepts(cursor, connection.alias, name, value):
                self.stdout.write(f"-- Skipped {name}: this server does not accept it.")
                continue
            # format() quotes the names and the value.
            cursor.execute(
                "SELECT format('ALTER ROLE %%I SET %%I = %%L', session_user, %s, %s)",
                [name, value],
            )
            [statement] = cursor.fetchone()
            self.stdout.write(f"{statement};")
            if apply:
                cursor.execute(statement, None)


def role_parameters(seconds: int) -> dict[str, str]:
    """Return the role's parameters, for statements of up to so many seconds."""
    # https://www.postgresql.org/docs/current/runtime-config-client.html
    return {
        "statement_timeout": f"{seconds}s",
        # How long the transaction of a killed environment holds its locks.
        "idle_in_transaction_session_timeout": f"{seconds}s",
        # Without it Django sends SET TIME ZONE on each connection.
        "timezone": "UTC",
        # Without it the query of a killed environment runs to its end. Since
        # PostgreSQL 14, on systems that report a closed socket.
        "client_connection_check_interval": "2s",
    }


def accepts(cursor: CursorWrapper, alias: str, name: str, value: str) -> bool:
    """Return whether the server accepts this value, without keeping it."""
    try:
        with transaction.atomic(alias):
            # Until the end of the transaction only.
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
    except Error:
        return False
    return True
