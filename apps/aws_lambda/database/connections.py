"""Database connections after an interrupt."""

from django.db import connections


def forget_connections() -> None:
    """
    Close all connections of this thread; they may be in the middle of a message.

    One is forgotten altogether that believes to be in a transaction: where an
    interrupt strikes inside of Django's ``atomic``, it would believe so for ever, and
    nothing of this environment would get to the database any more.
    """
    for connection in connections.all(initialized_only=True):
        connection.close()
        if connection.in_atomic_block:
            del connections[connection.alias]
