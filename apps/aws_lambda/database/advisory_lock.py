"""A lock that all execution environments share, and that none can forget to release."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..invocation import request_id

HOLDER = """
SELECT a.application_name, date_trunc('second', a.xact_start)
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %s
"""


class LockHeld(Exception):
    """Somebody else holds the lock; the text says who, and since when."""


@contextmanager
def advisory_lock(name: str, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """
    Hold the lock of this name in the block. Raises LockHeld, without a wait.

    It belongs to an open transaction on a connection of its own. A lock of a
    session would stay with whichever of the pooler's connections it was taken on.
    This one keeps its connection, through pgbouncer and RDS Proxy as well, and ends
    with the environment, however that ends.

    Only PostgreSQL has such locks: with another database nothing is held.
    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    if connections[using].vendor != "postgresql":
        yield
        return
    connection = connections[using].copy()
    # The network between may forget a connection on which nothing is said.
    connection.settings_dict["OPTIONS"].setdefault("keepalives_idle", 30)
    with closing(connection):
        acquire(connection, name)
        yield


def acquire(connection: BaseDatabaseWrapper, name: str) -> None:
    """Begin a transaction that holds the lock, or raise LockHeld."""
    key = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        # The role's own limit is for transactions that were forgotten.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        # What the next one is told about us. 63 bytes are kept.
        cursor.execute(
            "SELECT set_config('application_name', %s, true)",
            [f"request {request_id.get()}"],
        )
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        if cursor.fetchone() == (True,):
            return
        cursor.execute(HOLDER, [key])
        who, since = cursor.fetchone() or ("one that has just ended", None)
    begun = f", since {since:%Y-%m-%d %H:%M:%S %Z}" if since else ""
    raise LockHeld(f"Another run of {name} is in progress: {who}{begun}.")
