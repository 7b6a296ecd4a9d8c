"""The site's handler, with views that fail or exceed the deadline."""

# Sets up Django, before models and URLs can be imported.
import lambda_entry  # isort: split

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import nullcontext
from itertools import repeat

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

from apps.documents.models import Document
from project.urls import urlpatterns


@transaction.atomic
def slow_query(request: HttpRequest) -> HttpResponse:
    Group.objects.create(name="half done")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    return HttpResponse("never")


def stubborn(request: HttpRequest) -> HttpResponse:
    """Catch every Exception."""
    while True:
        try:
            time.sleep(60)
        except Exception:  # noqa: S112
            continue


def slow_stream(request: HttpRequest) -> StreamingHttpResponse:
    def chunks():
        yield b"half"
        time.sleep(60)

    return StreamingHttpResponse(chunks())


def wait_for_the_lock() -> None:
    """Wait until the test releases the lock, if it holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(7)")


def block_signals() -> None:
    """Stay in one C function, which Python signal handlers cannot interrupt."""
    deque(repeat(None), maxlen=0)


def crash() -> None:
    raise RuntimeError("The view failed")


ACTIONS: dict[str, Callable[[], object]] = {
    "answer": lambda: None,
    "wait": wait_for_the_lock,
    "sleep": lambda: time.sleep(60),
    "block": block_signals,
    "crash": crash,
    "exit": sys.exit,
    "large": lambda: None,
}


def create(request: HttpRequest, mode: str, title: str, action: str) -> HttpResponse:
    """Create a document, run the action, and return the title."""
    with transaction.atomic() if mode == "atomic" else nullcontext():
        Document.objects.create(title=title)
        ACTIONS[action]()
    # Over the limit, and no smaller when it is compressed.
    return HttpResponse(os.urandom(7_000_000) if action == "large" else title)


def groups(request: HttpRequest) -> HttpResponse:
    return HttpResponse(", ".join(Group.objects.values_list("name", flat=True)))


urlpatterns += [
    path("create/<str:mode>/<str:title>/<str:action>/", create, name="create"),
    path("slow-query/", slow_query, name="slow-query"),
    path("stubborn/", stubborn, name="stubborn"),
    path("slow-stream/", slow_stream, name="slow-stream"),
    path("groups/", groups, name="groups"),
]

http = lambda_entry.http
