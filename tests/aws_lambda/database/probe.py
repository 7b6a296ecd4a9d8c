"""A handler for what no page of the site does with its database."""

from collections.abc import Callable
from typing import Any

import lambda_entry  # noqa: F401  # sets Django up, without which no model is imported

# isort: split
import psycopg
from django.contrib.auth.models import Permission
from django.db import connection, transaction

from apps.documents.models import Document


class Rollback(Exception):
    """Ends a transaction without a trace."""


def iterate() -> list[int]:
    """Read rows in chunks; a server-side cursor would need several transactions."""
    rows = Permission.objects.order_by("pk").iterator(chunk_size=5)
    return [permission.pk for permission in rows]


def repeat() -> int:
    """Run one statement so often that psycopg would prepare it, without Django."""
    connection.ensure_connection()
    # Django's own cursors bind on our side, and those are never prepared.
    cursor = psycopg.Cursor(connection.connection)
    rows = [cursor.execute("SELECT %s::int", [1]).fetchone() for _ in range(20)]
    return len(rows)


def sessions() -> int:
    """Return on how many connections of the server ten statements ran."""
    return len({_session() for _ in range(10)})


def commit(note: str) -> int:
    """Change a document in a transaction; return how many connections that took."""
    with transaction.atomic():
        pids = {_session()}
        document = Document.objects.select_for_update().latest("pk")
        document.note = note
        document.save()
        pids |= {_session(), _session()}
    return len(pids)


def roll_back(note: str) -> str:
    """Change a document, change it back by a savepoint, then undo a transaction."""
    document = Document.objects.latest("pk")
    try:
        with transaction.atomic():
            Document.objects.update(note=note)
            try:
                with transaction.atomic():
                    Document.objects.update(note="inside the savepoint")
                    raise Rollback
            except Rollback:
                document.refresh_from_db()
            raise Rollback
    except Rollback:
        return document.note


DOES: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (iterate, repeat, sessions, commit, roll_back)
}


def handle(event: dict[str, Any], context: Any) -> Any:
    """Do what the event names."""
    return DOES[event["do"]](*event.get("with", []))


def _session() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    return int(pid)
