from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.services import install, pgbouncer
from tests.services.pgbouncer import PgBouncer
from tests.services.postgresql import PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with PostgreSQL() as running:
        yield running


@pytest.fixture(scope="module")
def pooler(server: PostgreSQL) -> Iterator[PgBouncer]:
    with PgBouncer(server, {"postgres": server.password}) as running:
        yield running


def connect(pooler: PgBouncer, **options: Any) -> psycopg.Connection:
    server = pooler.server
    url = server.url().replace(str(server.port), str(pooler.port))
    return psycopg.connect(url, autocommit=True, **options)


def session(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT pg_backend_pid()").fetchone()
    assert row is not None
    return int(row[0])


def test_two_clients_share_the_servers_connections(pooler: PgBouncer):
    with connect(pooler) as one, connect(pooler) as other:
        shared = {session(one) for _ in range(5)} & {session(other) for _ in range(5)}

    assert shared


def test_each_transaction_goes_to_another_connection(pooler: PgBouncer):
    with connect(pooler) as one, connect(pooler) as other:
        with one.transaction(), other.transaction():
            assert session(one) != session(other)

        assert len({session(one) for _ in range(4)}) == 2


def test_options_of_a_connection_are_refused_as_rds_proxy_does(pooler: PgBouncer):
    with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
        connect(pooler, options="-c statement_timeout=5s")


def test_it_runs_admin_commands(pooler: PgBouncer):
    with connect(pooler):
        clients = pooler.ask("SHOW CLIENTS")

    assert any("postgres" in row for row in clients)


def test_a_restart_keeps_the_port_and_closes_connections(pooler: PgBouncer):
    with connect(pooler) as old:
        pooler.restart()

        with pytest.raises(psycopg.OperationalError):
            session(old)
    with connect(pooler) as new:
        assert session(new)


def test_a_wrong_setting_is_reported_in_the_words_of_pgbouncer(server: PostgreSQL):
    broken = PgBouncer(server, {}, {"pool_mode": "swimming"})

    with pytest.raises(install.Unavailable, match="swimming"):
        broken.start()


def test_a_machine_without_pgbouncer_gets_advice_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(install, "from_apt", lambda package: False)
    monkeypatch.setattr(pgbouncer, "PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(install.Unavailable, match="apt-get install pgbouncer"):
        pgbouncer.find()


def test_it_cannot_be_restarted_before_it_was_started(server: PostgreSQL):
    with pytest.raises(RuntimeError, match="has not been started"):
        PgBouncer(server, {}).restart()
