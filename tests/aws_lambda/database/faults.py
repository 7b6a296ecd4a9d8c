"""
Faults of the database, or on the way to it, while an environment is frozen.

Each is a context manager around a Site. Entering it causes the fault, and leaving it
undoes what the fault needed.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg

from tests.aws_lambda.database.server import MAX_CONNECTIONS
from tests.aws_lambda.database.site import Site

IDLE_SECONDS = 1


@contextmanager
def nothing(site: Site) -> Iterator[None]:
    """Cause nothing but the freeze."""
    yield


@contextmanager
def backends_terminated(site: Site) -> Iterator[None]:
    """Terminate every connection at the server."""
    site.server.terminate()
    _wait_until(lambda: site.server.held() == 0)
    yield


@contextmanager
def idle_timeout(site: Site) -> Iterator[None]:
    """Close idle connections at pgbouncer, or at the server without it."""
    if site.pgbouncer:
        site.pgbouncer.ask(f"SET client_idle_timeout = {IDLE_SECONDS}")
        _wait_until(lambda: site.held() == 0)
        site.pgbouncer.ask("SET client_idle_timeout = 0")
    else:
        # It takes effect when a connection next becomes idle.
        site.server.ask(f"ALTER SYSTEM SET idle_session_timeout = '{IDLE_SECONDS}s'")
        site.server.ask("SELECT pg_reload_conf()")
        site.environment.thaw()
        site.visit()
        site.environment.freeze()
        _wait_until(lambda: site.held() == 0)
        site.server.ask("ALTER SYSTEM RESET idle_session_timeout")
        site.server.ask("SELECT pg_reload_conf()")
    yield


@contextmanager
def server_restart(site: Site) -> Iterator[None]:
    """Restart the server, which ends every connection."""
    site.server.postgresql.restart()
    yield


@contextmanager
def pooler_restart(site: Site) -> Iterator[None]:
    """Restart the pooler, which ends every connection."""
    if site.pgbouncer:
        site.pgbouncer.restart()
    yield


@contextmanager
def proxy_stuck(site: Site) -> Iterator[None]:
    """Stall the relay: it acknowledges all data and forwards none."""
    site.relay.stall()
    yield
    site.relay.release()


@contextmanager
def route_lost(site: Site) -> Iterator[None]:
    """Drop every packet of the connection."""
    site.relay.drop_packets()
    yield
    site.relay.release()


@contextmanager
def server_full(site: Site) -> Iterator[None]:
    """Take every connection that the server has left."""
    others: list[psycopg.Connection] = []
    site.server.ask("CREATE ROLE other LOGIN PASSWORD 'other'")
    url = f"postgresql://other:other@127.0.0.1:{site.server.postgresql.port}/postgres"
    try:
        for _ in range(MAX_CONNECTIONS):
            try:
                others.append(psycopg.connect(url))
            except psycopg.OperationalError:
                break
        yield
    finally:
        for connection in others:
            connection.close()
        site.server.ask("DROP ROLE other")


Fault = Callable[[Site], AbstractContextManager[None]]

# Faults after which every request must be served.
SURVIVED: dict[str, Fault] = {
    "nothing but the freeze": nothing,
    "backends terminated": backends_terminated,
    "idle timeout": idle_timeout,
    "server restarted": server_restart,
    "pooler restarted": pooler_restart,
    "proxy stuck": proxy_stuck,
    "route lost": route_lost,
}


def _wait_until(happened: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            raise TimeoutError(f"The fault has not happened within {seconds} seconds.")
        time.sleep(0.02)
