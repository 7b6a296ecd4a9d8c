"""A PostgreSQL server with the site's tables, a staff user and a document."""

import json
import os
import secrets
import subprocess
import sys
from typing import Any, Self

import psycopg

from tests.services.install import PROJECT
from tests.services.postgresql import PostgreSQL

ROLE = "site"
# Small, so that a test can fill it. Three are reserved for superusers.
MAX_CONNECTIONS = 20


class SiteServer:
    """
    Run a server with a database that belongs to a role without privileges.

    ``session`` is the session key of a staff user, and ``document`` the ID of a
    document in the inbox.
    """

    def __init__(self) -> None:
        self.postgresql = PostgreSQL({"max_connections": str(MAX_CONNECTIONS)})
        self.password = secrets.token_hex(16)
        self.session = ""
        self.document = 0

    def start(self) -> Self:
        """Start the server and migrate the database."""
        self.postgresql.start()
        try:
            self.ask(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{self.password}'")
            self.ask(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
            output = subprocess.run(
                [sys.executable, "-m", "tests.aws_lambda.database.prepare"],
                cwd=PROJECT,
                env=self.variables(self.postgresql.port),
                stdout=subprocess.PIPE,
                check=True,
            ).stdout
            made = json.loads(output)
            self.session, self.document = made["session"], made["document"]
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server."""
        self.postgresql.stop()

    def url(self, port: int, options: str = "") -> str:
        """Return the URL of the database through this port."""
        return f"postgres://{ROLE}:{self.password}@127.0.0.1:{port}/{ROLE}{options}"

    def variables(
        self, port: int, profile: str = "direct", options: str = ""
    ) -> dict[str, str]:
        """Return the environment variables of a site with this database."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "ENV_FILE": os.devnull,
            "STAGE": "test",
            "SECRET_KEY": "only-for-tests-" * 4,
            "ALLOWED_HOSTS": "*",
            "STATIC_ROOT": os.environ.get("STATIC_ROOT", str(PROJECT / "staticfiles")),
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": self.url(port, options),
            "LAMBDA_DATABASE_PROFILE": profile,
        }

    def ask(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run a query as superuser on the site's database, and return its rows."""
        name = ROLE if self.session else "postgres"
        with psycopg.connect(self.postgresql.url(name), autocommit=True) as connection:
            cursor = connection.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def held(self) -> int:
        """Return the number of connections of the site's role."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
        [(count,)] = self.ask(query, ROLE)
        return int(count)

    def sleeps(self) -> bool:
        """Return whether a query of the site's role is in pg_sleep."""
        query = (
            "SELECT 1 FROM pg_stat_activity WHERE usename = %s AND state = 'active' "
            "AND query LIKE '%%pg_sleep(%%'"
        )
        return bool(self.ask(query, ROLE))

    def terminate(self) -> int:
        """Terminate the connections of the site's role, and return their number."""
        return len(
            self.ask(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = %s",
                ROLE,
            )
        )
