"""A handler for uses of the database that no page of the site has."""

from collections.abc import Callable
from typing import Any

import lambda_entry  # noqa: F401  # sets Django up, before any model is imported

# isort: split
import psycopg
from django.contrib.auth.models import Permission
from django.db import connection, transaction

from apps.documents.models import Document


class Rollback(Exception):
    """Rolls a transaction back."""


def iterate() -> list[int]:
    """Read rows in chunks, which a server-side cursor does in several transactions."""
    rows = Permission.objects.order_by("pk").iterator(chunk_size=5)
    return [permission.pk for permission in rows]


def repeat() -> int:
    """Run a statement often enough for psycopg to prepare it, without Django."""
    connection.ensure_connection()
    # Django's cursors bind on the client, and their statements are never prepared.
    cursor = psycopg.Cursor(connection.connection)
    rows = [cursor.execute("SELECT %s::int", [1]).fetchone() for _ in range(20)]
    return len(rows)


def sessions() -> int:
    """Return on how many server connections ten statements ran."""
    return len({_session() for _ in range(10)})


def commit(note: str) -> int:
    """Change a document in a transaction. Return how many connections it used."""
    with transaction.atomic():
        pids = {_session()}
        document = Document.objects.select_for_update().latest("pk")
        document.note = note
        document.save()
        pids |= {_session(), _session()}
    return len(pids)


def roll_back(note: str) -> str:
    """Change a document, roll back a savepoint, then the transaction."""
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


FUNCTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (iterate, repeat, sessions, commit, roll_back)
}


def handle(event: dict[str, Any], context: Any) -> Any:
    """Call the function that the event names."""
    return FUNCTIONS[event["do"]](*event.get("with", []))


def _session() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()
    return int(pid)
