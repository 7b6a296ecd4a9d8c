"""
What happens to the database, or on the way to it, while an environment is frozen.

Each is a context manager around a Site: on entering it the fault has happened, and
on leaving it what the fault needed is taken back.
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
    """Only the freeze itself."""
    yield


@contextmanager
def backends_terminated(site: Site) -> Iterator[None]:
    """Somebody ends every connection at the server."""
    site.server.terminate()
    _wait_until(lambda: site.server.held() == 0)
    yield


@contextmanager
def idle_timeout(site: Site) -> Iterator[None]:
    """What is nearest to the environment ends connections that nobody uses."""
    if site.pgbouncer:
        site.pgbouncer.ask(f"SET client_idle_timeout = {IDLE_SECONDS}")
        _wait_until(lambda: site.held() == 0)
        site.pgbouncer.ask("SET client_idle_timeout = 0")
    else:
        # It is counted from a connection's next pause.
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
    """The server goes, with every connection, and comes back."""
    site.server.postgresql.restart()
    yield


@contextmanager
def pooler_restart(site: Site) -> Iterator[None]:
    """The pooler goes, with every connection, and comes back."""
    if site.pgbouncer:
        site.pgbouncer.restart()
    yield


@contextmanager
def proxy_stuck(site: Site) -> Iterator[None]:
    """What is between forgets the connection: it takes all and answers nothing."""
    site.relay.forget()
    yield
    site.relay.release()


@contextmanager
def route_lost(site: Site) -> Iterator[None]:
    """No packet of the connection arrives any more."""
    site.relay.lose()
    yield
    site.relay.release()


@contextmanager
def server_full(site: Site) -> Iterator[None]:
    """Others take every connection that the server has left."""
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

# After these, every request is to be served.
HEALED: dict[str, Fault] = {
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
            raise TimeoutError("The fault does not happen.")
        time.sleep(0.02)
