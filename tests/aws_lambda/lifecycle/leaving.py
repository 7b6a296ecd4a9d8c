"""The site's handler, with views that leave something behind."""

# Sets up Django, before models and URLs can be imported.
import lambda_entry  # isort: split

import asyncio
import sys
from collections.abc import Iterator
from contextvars import ContextVar

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.utils import timezone, translation

from project.urls import urlpatterns

setting: ContextVar[str] = ContextVar("setting", default="")


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@transaction.atomic
def leave(request: HttpRequest) -> HttpResponse:
    """Raise SystemExit in a transaction."""
    Group.objects.create(name="half done")
    sys.exit(3)


@transaction.atomic
def cancel(request: HttpRequest) -> HttpResponse:
    Group.objects.create(name="half done")
    raise asyncio.CancelledError


async def cancel_async(request: HttpRequest) -> HttpResponse:
    await Group.objects.afirst()
    raise asyncio.CancelledError


def leave_stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks() -> Iterator[bytes]:
        with transaction.atomic():
            Group.objects.create(name="half done")
            yield b"half"
            sys.exit(3)

    return StreamingHttpResponse(chunks())


def enter_atomic(request: HttpRequest) -> HttpResponse:
    """Enter a transaction, and do not leave it."""
    transaction.atomic().__enter__()
    Group.objects.create(name="half done")
    return HttpResponse()


def begin(request: HttpRequest) -> HttpResponse:
    """Begin a transaction that Django does not know of."""
    execute("BEGIN")
    Group.objects.create(name="half done")
    return HttpResponse()


def turn_autocommit_off(request: HttpRequest) -> HttpResponse:
    transaction.set_autocommit(False)
    Group.objects.create(name="half done")
    return HttpResponse()


def change_session(request: HttpRequest) -> HttpResponse:
    """Change what PostgreSQL keeps for a connection."""
    execute("SET ROLE pg_monitor")
    execute("CREATE TEMPORARY TABLE draft ()")
    execute("SET search_path TO other")
    return HttpResponse()


def session(request: HttpRequest) -> JsonResponse:
    """Return what PostgreSQL keeps for a connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_user, to_regclass('pg_temp.draft')::text, "
            "current_setting('search_path')"
        )
        return JsonResponse(cursor.fetchone(), safe=False)


def change_context(request: HttpRequest) -> HttpResponse:
    translation.activate("de")
    timezone.activate("Europe/Berlin")
    setting.set("changed")
    return HttpResponse()


def context(request: HttpRequest) -> JsonResponse:
    zone = timezone.get_current_timezone_name()
    return JsonResponse([translation.get_language(), zone, setting.get()], safe=False)


def groups(request: HttpRequest) -> HttpResponse:
    return HttpResponse(", ".join(Group.objects.values_list("name", flat=True)))


urlpatterns += [
    path("leave/", leave),
    path("cancel/", cancel),
    path("cancel-async/", cancel_async),
    path("leave-stream/", leave_stream),
    path("enter-atomic/", enter_atomic),
    path("begin/", begin),
    path("turn-autocommit-off/", turn_autocommit_off),
    path("change-session/", change_session),
    path("session/", session),
    path("change-context/", change_context),
    path("context/", context),
    path("groups/", groups),
]

http = lambda_entry.http
