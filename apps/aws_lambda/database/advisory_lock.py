"""A lock that all execution environments share, and that ends with its holder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..invocation import request_id

HOLDER_QUERY = """
SELECT a.application_name, date_trunc('second', a.xact_start)
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %s
"""


class LockHeld(Exception):
    """Another run holds the lock. The text has its request ID and its start."""


@contextmanager
def advisory_lock(name: str, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """
    Hold the lock of this name in the block. Raises LockHeld without waiting.

    The lock belongs to an open transaction on a connection of its own. A session-level
    lock would stay on one of the pooler's server connections. A transaction keeps its
    connection through pgbouncer and RDS Proxy too, and ends when the environment
    ends, even if Lambda kills it.

    Only PostgreSQL has advisory locks: on another database nothing is locked.
    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    if connections[using].vendor != "postgresql":
        yield
        return
    connection = connections[using].copy()
    # A NAT gateway or a firewall may drop an idle connection.
    connection.settings_dict["OPTIONS"].setdefault("keepalives_idle", 30)
    with closing(connection):
        acquire(connection, name)
        yield


def acquire(connection: BaseDatabaseWrapper, name: str) -> None:
    """Begin a transaction that holds the lock, or raise LockHeld."""
    key = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        # The role's limit would end this idle transaction, and with it the lock.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        # HOLDER_QUERY shows it to the next run. PostgreSQL keeps 63 bytes.
        cursor.execute(
            "SELECT set_config('application_name', %s, true)",
            [f"request {request_id.get()}"],
        )
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        if cursor.fetchone() == (True,):
            return
        cursor.execute(HOLDER_QUERY, [key])
        row = cursor.fetchone()
    if row is None:
        raise LockHeld(f"Another run of {name} has just ended. Try again.")
    holder, start = row
    since = f", since {start:%Y-%m-%d %H:%M:%S %Z}" if start else ""
    raise LockHeld(f"Another run of {name} is in progress: {holder}{since}.")
