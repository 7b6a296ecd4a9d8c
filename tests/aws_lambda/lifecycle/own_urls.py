"""Views that record their requests, or need the database."""

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

seen: list[list[object]] = []


def see(request: HttpRequest) -> JsonResponse:
    """Return the client's address and the scheme of all requests until now."""
    meta = request.META
    wrapped = meta.get("site.wrapped")
    seen.append([meta["REMOTE_ADDR"], meta["HTTP_X_FORWARDED_PROTO"], wrapped])
    return JsonResponse(seen, safe=False)


def query(request: HttpRequest) -> HttpResponse:
    Group.objects.count()
    return HttpResponse(str(connection.in_atomic_block))


@transaction.non_atomic_requests
@transaction.atomic
def begin(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


@transaction.non_atomic_requests
def left_open(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
    return HttpResponse()


@transaction.non_atomic_requests
async def query_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(await Group.objects.acount()))


urlpatterns = [
    path("seen/", see),
    path("query/", query),
    path("query/async/", query_async),
    path("transaction/", begin),
    path("transaction/open/", left_open),
]
