"""
The connections of an execution environment, from the init phase to the shutdown.

An environment runs one thread, so each database has one connection. Which profile
keeps it for how long is in ``profiles``; how it is made and checked, in
``postgresql``.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

logger = logging.getLogger(__name__)

# The connections of the main thread, until they are seen closed. To ask Django for them
# takes 1.6 us of a request, whether one is open or not.
opened: set[BaseDatabaseWrapper] = set()


@receiver(connection_created)
def remember(connection: BaseDatabaseWrapper, **kwargs: object) -> None:
    if threading.get_ident() == threading.main_thread().ident:
        opened.add(connection)


class ConnectionRefused(BaseException):
    """
    A request of the warm-up needs a database.

    Not an Exception: the site would log a traceback and render an error page, in
    every execution environment.
    """


@contextmanager
def refusing_connections(*, but_open: bool = False) -> Iterator[None]:
    """
    Raise ConnectionRefused where the block would connect to a database.

    All connections are closed before, unless those that are open may be used: then what
    the block leaves open in a transaction is rolled back. ATOMIC_REQUESTS is off
    meanwhile where none is open: with it every view would connect.
    """

    def refuse() -> NoReturn:
        raise ConnectionRefused

    if not but_open:
        close_connections()
    atomic = {}
    for connection in connections.all():
        atomic[connection] = connection.settings_dict["ATOMIC_REQUESTS"]
        if connection.connection is None:
            connection.settings_dict["ATOMIC_REQUESTS"] = False
        # As Django's own SimpleTestCase does.
        connection.connect = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        for connection, value in atomic.items():
            connection.settings_dict["ATOMIC_REQUESTS"] = value
            del connection.connect
        discard_open_transactions()


def open_persistent_connections() -> None:
    """
    Connect to each database whose connections outlive a request.

    A database that is down is logged: the init phase must not fail because of it.
    A connection with a CONN_MAX_AGE of 0 would be closed when the first request
    begins.
    """
    for connection in connections.all():
        if connection.settings_dict["CONN_MAX_AGE"] == 0:
            continue
        try:
            connection.ensure_connection()
        except Exception:
            logger.exception(
                "The init phase could not connect to DATABASES[%r]", connection.alias
            )


def close_connections() -> None:
    """
    Close all connections of this thread.

    After the warm-up and before a snapshot, whose copies would share a socket that
    the server has closed; and at shutdown, so that the server need not find out.
    """
    connections.close_all()


def update_credentials(replaced: Mapping[str, str]) -> None:
    """
    Give each database that was configured by a URL in ``replaced`` the new URL.

    ``replaced`` maps old values of environment variables to new ones. Only the
    ENGINE ``database.postgresql`` of this app follows its URL.
    """
    for connection in connections.all():
        if follow := getattr(connection, "follow_url", None):
            follow(replaced)


def close_old_connections() -> None:
    """
    Close connections that failed, or that are past their CONN_MAX_AGE.

    Before and after each batch of tasks and each command. For a web request Django does
    so itself. A connection with an open transaction belongs to a test.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def close_unusable_connections() -> None:
    """
    Close connections that died, or on which a task has turned autocommit off.

    Between two tasks of a batch. ``close_old_connections`` would also close those
    past their CONN_MAX_AGE, and with an age of 0 each task would reconnect. An
    open transaction belongs to a test.
    """
    for connection in connections.all(initialized_only=True):
        if connection.connection is None or connection.in_atomic_block:
            continue
        autocommit = connection.settings_dict["AUTOCOMMIT"]
        if connection.get_autocommit() != autocommit or not connection.is_usable():
            connection.close()


def discard_interrupted_connections() -> None:
    """
    Close all connections of this thread: one may be in the middle of a query.

    An interrupt inside of Django's ``atomic`` can leave ``in_atomic_block`` set. Such
    a connection refuses to reconnect for the rest of the environment's life, so
    Django is made to create another one. The transaction around a test is kept.
    """
    for connection in connections.all(initialized_only=True):
        if not in_transaction_of_test(connection):
            discard(connection)


def discard_open_transaction(connection: BaseDatabaseWrapper) -> bool:
    """
    Roll back the transaction that a request, a task or a command has left open.

    It would hold its locks during the freeze, and what runs next would become part
    of it. ``atomic`` ends its transaction for any exception, but not in a generator
    that is not exhausted, and not if it was entered by hand; and Django does not know
    of a BEGIN that was executed. Returns whether one was open.
    """
    if not in_transaction(connection) or in_transaction_of_test(connection):
        return False
    logger.error(
        "A transaction was left open on DATABASES[%r], and is rolled back",
        connection.alias,
    )
    discard(connection)
    return True


def discard_open_transactions() -> bool:
    """Do so on all connections of this thread. Return whether one was open."""
    found = False
    for connection in [*opened]:
        if connection.connection is None:
            opened.remove(connection)
        else:
            found |= discard_open_transaction(connection)
    return found


def in_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Return whether a transaction is open, without asking the database."""
    driver = connection.connection
    # psycopg's; 4 is "unknown", of a connection that is closed.
    status = getattr(getattr(driver, "info", None), "transaction_status", 0)
    # SQLite's.
    return (
        connection.in_atomic_block
        or status in (1, 2, 3)
        or getattr(driver, "in_transaction", False)
    )


def discard(connection: BaseDatabaseWrapper) -> None:
    """Close the connection, and make Django create another one if it must."""
    opened.discard(connection)
    connection.close()
    if connection.in_atomic_block:
        del connections[connection.alias]


def in_transaction_of_test(connection: BaseDatabaseWrapper) -> bool:
    """Return whether the connection is in the transaction of a Django TestCase."""
    return any(getattr(b, "_from_testcase", False) for b in connection.atomic_blocks)
