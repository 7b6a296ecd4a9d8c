"""manage.py lambda_database_setup: the defaults of the site's database role."""

import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import quote

import psycopg
import pytest

from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.services.install import PROJECT

# Runs the command with other parameters.
WITH_PARAMETERS = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import django
django.setup()
from django.core.management import call_command
from apps.aws_lambda.management.commands import lambda_database_setup as module
module.role_parameters = lambda seconds: {parameters}
{more}
call_command("lambda_database_setup", apply=True)
"""


@pytest.fixture(autouse=True)
def _clean_role(server: SiteServer) -> Iterator[None]:
    yield
    server.ask(f"ALTER ROLE {ROLE} RESET ALL")


def defaults(server: SiteServer, role: str = ROLE) -> set[str]:
    """Return the defaults of the role, which new connections get."""
    query = "SELECT rolconfig FROM pg_roles WHERE rolname = %s"
    [(config,)] = server.ask(query, role)
    return set(config or [])


def run(
    server: SiteServer, *command: str, url: str = "", options: str = ""
) -> subprocess.CompletedProcess[str]:
    variables = server.variables(server.postgresql.port, options=options)
    if url:
        variables["DATABASE_URL"] = url
    return subprocess.run(
        [sys.executable, *command],
        cwd=PROJECT,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )


def set_up(
    server: SiteServer, *arguments: str, url: str = "", options: str = ""
) -> subprocess.CompletedProcess[str]:
    command = ("manage.py", "lambda_database_setup", *arguments)
    return run(server, *command, url=url, options=options)


def test_without_apply_the_role_and_the_statements_are_printed(server):
    process = set_up(server)

    assert process.returncode == 0, process.stderr
    where = f"Role site, database site, server 127.0.0.1:{server.postgresql.port}, "
    assert where + "PostgreSQL " in process.stdout
    assert "ALTER ROLE site SET statement_timeout = '25s';" in process.stdout
    assert "To run them, add: --apply" in process.stdout
    assert defaults(server) == set()


def test_with_apply_new_connections_get_the_limits(server):
    process = set_up(server, "--apply", "--statement-timeout", "7")

    assert process.returncode == 0, process.stderr
    assert defaults(server) == {
        "statement_timeout=7s",
        "idle_in_transaction_session_timeout=7s",
        "TimeZone=UTC",
        "client_connection_check_interval=2s",
    }
    with psycopg.connect(server.url(server.postgresql.port)) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("7s",)


def test_the_printed_statements_are_those_that_run(server):
    printed = set_up(server).stdout

    server.ask(printed)

    by_hand = defaults(server)
    server.ask(f"ALTER ROLE {ROLE} RESET ALL")
    set_up(server, "--apply")
    assert defaults(server) == by_hand


def test_the_name_of_the_role_is_quoted(server):
    name = 'of"fice; DROP TABLE x --%s'
    quoted = '"' + name.replace('"', '""') + '"'
    server.ask(f"CREATE ROLE {quoted} LOGIN PASSWORD 'p'")
    try:
        port = server.postgresql.port
        url = f"postgres://{quote(name)}:p@127.0.0.1:{port}/{ROLE}"
        process = set_up(server, "--apply", url=url)

        assert process.returncode == 0, process.stderr
        assert "statement_timeout=25s" in defaults(server, name)
    finally:
        server.ask(f"DROP ROLE {quoted}")


def test_an_unknown_parameter_is_skipped(server):
    parameters = '{"no_such_timeout": "1s", "statement_timeout": "3s"}'
    script = WITH_PARAMETERS.format(parameters=parameters, more="")

    process = run(server, "-c", script)

    assert process.returncode == 0, process.stderr
    assert "Skipped no_such_timeout: this server does not accept it." in process.stdout
    assert defaults(server) == {"statement_timeout=3s"}


def test_one_rejected_statement_undoes_all(server):
    # The second is for superusers only.
    parameters = '{"statement_timeout": "3s", "log_statement": "none"}'
    script = WITH_PARAMETERS.format(
        parameters=parameters, more="module.accepts = lambda *arguments: True"
    )

    process = run(server, "-c", script)

    assert process.returncode == 1
    assert (
        "Nothing was changed. The server reports: permission denied" in process.stderr
    )
    assert defaults(server) == set()


def test_missing_permission_to_change_the_role_is_one_message(server):
    server.ask("CREATE ROLE owner")
    server.ask(f"GRANT owner TO {ROLE}")
    try:
        process = set_up(server, "--apply", options="?assume_role=owner")
    finally:
        server.ask("DROP ROLE owner")

    assert process.returncode == 1
    assert "CommandError: Nothing was changed. The server reports: " in process.stderr
    assert "Traceback" not in process.stderr
    assert defaults(server) == set()


@pytest.mark.parametrize(
    ("arguments", "url", "complaint"),
    [
        ((), "sqlite:///:memory:", "is SQLite. Only PostgreSQL has roles"),
        (("--statement-timeout", "0"), "", "must be at least 1 second"),
        ((), "postgres://u:p@127.0.0.1:1/site", "Nothing was changed."),
    ],
)
def test_an_error_is_one_message(server, arguments, url, complaint):
    process = set_up(server, "--apply", *arguments, url=url)

    assert process.returncode == 1
    assert process.stderr.startswith("CommandError: ")
    assert complaint in process.stderr
