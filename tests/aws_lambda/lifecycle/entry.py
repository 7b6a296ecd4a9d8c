"""The site's handler, with views that misbehave."""

# Sets Django up, before models and URLs can be imported.
import lambda_entry  # isort: split

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
    """Swallow every Exception, as careless code does."""
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
    """Wait until the test lets go of the lock that it may hold."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(7)")


def hold_the_processor() -> None:
    """Stay in one call into C, which no signal interrupts."""
    deque(repeat(None), maxlen=0)


def crash() -> None:
    raise RuntimeError("The view failed")


THEN: dict[str, Callable[[], object]] = {
    "answer": lambda: None,
    "wait": wait_for_the_lock,
    "sleep": lambda: time.sleep(60),
    "hold": hold_the_processor,
    "crash": crash,
    "exit": sys.exit,
    "large": lambda: None,
}


def keep(request: HttpRequest, how: str, title: str, then: str) -> HttpResponse:
    """Keep a document of this title, then do something, then promise it."""
    with transaction.atomic() if how == "atomic" else nullcontext():
        Document.objects.create(title=title)
        THEN[then]()
    return HttpResponse(b"x" * 7_000_000 if then == "large" else title)


def groups(request: HttpRequest) -> HttpResponse:
    return HttpResponse(", ".join(Group.objects.values_list("name", flat=True)))


urlpatterns += [
    path("keep/<str:how>/<str:title>/<str:then>/", keep, name="keep"),
    path("slow-query/", slow_query, name="slow-query"),
    path("stubborn/", stubborn, name="stubborn"),
    path("slow-stream/", slow_stream, name="slow-stream"),
    path("groups/", groups, name="groups"),
]

http = lambda_entry.http
