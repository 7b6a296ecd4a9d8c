"""The site's handler, with views that misbehave."""

# Sets Django up, before models and URLs can be imported.
import lambda_entry  # isort: split

import time

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path

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


def groups(request: HttpRequest) -> HttpResponse:
    return HttpResponse(", ".join(Group.objects.values_list("name", flat=True)))


urlpatterns += [
    path("slow-query/", slow_query, name="slow-query"),
    path("stubborn/", stubborn, name="stubborn"),
    path("slow-stream/", slow_stream, name="slow-stream"),
    path("groups/", groups, name="groups"),
]

http = lambda_entry.http
