"""A lock that all execution environments share, and that ends with its holder."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from ..invocation import request_id

# Who holds the lock, and since when. A bigint key is stored in two halves.
# https://www.postgresql.org/docs/current/view-pg-locks.html
HOLDER = """
SELECT a.application_name, date_trunc('second', a.xact_start)
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %s
"""


class LockHeld(Exception):
    """Another session holds the lock; the text names its request and start."""


@contextmanager
def advisory_lock(name: str, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """
    Hold the lock of this name in the block. Raises LockHeld at once if it is taken.

    The lock belongs to an open transaction on a connection of its own. Behind a
    transaction pooler, a session's lock would stay with whichever server connection
    it was taken on; a transaction keeps its server connection. PostgreSQL releases the
    lock when the environment ends, however it ends.

    With another database than PostgreSQL nothing is locked.
    https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
    """
    if connections[using].vendor != "postgresql":
        yield
        return
    connection = connections[using].copy()
    # A NAT gateway or firewall drops a connection that is idle for minutes.
    connection.settings_dict["OPTIONS"].setdefault("keepalives_idle", 30)
    with closing(connection):
        acquire(connection, name)
        yield


def acquire(connection: BaseDatabaseWrapper, name: str) -> None:
    """Begin a transaction that holds the lock, or raise LockHeld."""
    key = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
    connection.set_autocommit(False)
    with connection.cursor() as cursor:
        # The limit of the role would end this transaction, which is idle by design.
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        # HOLDER reads it. PostgreSQL keeps 63 bytes.
        cursor.execute(
            "SELECT set_config('application_name', %s, true)",
            [f"request {request_id.get()}"],
        )
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key])
        if cursor.fetchone() == (True,):
            return
        cursor.execute(HOLDER, [key])
        holder, since = cursor.fetchone() or ("a run that has just ended", None)
    started = f", since {since:%Y-%m-%d %H:%M:%S %Z}" if since else ""
    raise LockHeld(f"Another run of {name} is in progress: {holder}{started}.")
