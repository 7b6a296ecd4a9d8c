"""Give the site's database role the limits that a Lambda function needs."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DEFAULT_DB_ALIAS, Error, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper


class Command(BaseCommand):
    """
    Print, and with --apply run, the ALTER ROLE statements for the login role.

    The limits belong to the role, because RDS Proxy and pgbouncer refuse them as
    options of a connection, and sending them as statements costs a round trip per
    connection and pins a proxy's.
    """

    help = (
        "Print the ALTER ROLE statements that fit the connected database role to "
        "Lambda; with --apply, run them."
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
            help="Less than the function's timeout, so that the site and not Lambda "
            "ends a slow request (default: 25).",
        )
        parser.add_argument("--database", default=DEFAULT_DB_ALIAS, metavar="ALIAS")

    def handle(self, *args: Any, **options: Any) -> None:
        """
        Say whose defaults these are, print the statements, and run them if asked.

        Raises CommandError when the engine is not PostgreSQL, the server cannot be
        reached, or it refuses one of the statements: then none has an effect.
        """
        connection = connections[options["database"]]
        seconds = options["statement_timeout"]
        if connection.vendor != "postgresql":
            raise CommandError(
                f"The database {options['database']!r} is {connection.display_name}; "
                "only PostgreSQL has roles to set up."
            )
        if seconds < 1:
            raise CommandError("--statement-timeout must be at least 1 second.")
        try:
            with transaction.atomic(options["database"]), connection.cursor() as cursor:
                self.set_up(cursor, connection, seconds, apply=options["apply"])
        except Error as error:
            raise CommandError(
                f"Nothing was changed. The server says: {str(error).strip()}"
            ) from error
        if options["apply"]:
            self.stdout.write(
                "-- Done: in force for every connection made from now on."
            )
        else:
            self.stdout.write("-- Nothing was changed: repeat with --apply to do so.")

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
        for name, value in parameters(seconds).items():
            if not accepts(cursor, connection.alias, name, value):
                self.stdout.write(f"-- {name} is unknown to this server: left out.")
                continue
            # The server quotes the names: it knows how.
            cursor.execute(
                "SELECT format('ALTER ROLE %%I SET %%I = %%L', session_user, %s, %s)",
                [name, value],
            )
            [statement] = cursor.fetchone()
            self.stdout.write(f"{statement};")
            if apply:
                cursor.execute(statement, None)


def parameters(seconds: int) -> dict[str, str]:
    """Return the role's parameters: a statement may take this many seconds."""
    # https://www.postgresql.org/docs/current/runtime-config-client.html
    return {
        "statement_timeout": f"{seconds}s",
        # A transaction whose environment was killed holds its locks until then.
        "idle_in_transaction_session_timeout": f"{seconds}s",
        # Otherwise Django sends SET TIME ZONE on each connection.
        "timezone": "UTC",
        # Otherwise the query of a killed environment goes on to its end. From
        # PostgreSQL 14, on systems that tell a server of a closed socket.
        "client_connection_check_interval": "2s",
    }


def accepts(cursor: CursorWrapper, alias: str, name: str, value: str) -> bool:
    """Tell whether this server can set the parameter; it is not left set."""
    try:
        with transaction.atomic(alias):
            # Until the end of the transaction only.
            cursor.execute("SELECT set_config(%s, %s, true)", [name, value])
    except Error:
        return False
    return True
