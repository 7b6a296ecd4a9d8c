"""The site's handler, with views for a trace, which contain a secret."""

# Sets up Django, before models and URLs can be imported.
import lambda_entry  # isort: split

import json
import os
import sys

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from project.urls import urlpatterns

SECRET = os.environ["A_SECRET"]


def look_up(request: HttpRequest, name: str) -> HttpResponse:
    """Run two queries, one of them with a parameter."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT 1 AS {SECRET}")
    return HttpResponse(Group.objects.filter(name=SECRET).count())


def crash(request: HttpRequest) -> HttpResponse:
    raise RuntimeError(f"The password is {SECRET}")


def crash_in_query(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SELECT {SECRET}")
    return HttpResponse("never")


def exit_process(request: HttpRequest) -> HttpResponse:
    sys.exit(SECRET)


def slow_query(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(60)")
    return HttpResponse("never")


# Libraries that the site does not import are imported at their first use.


def call_with_urllib3(request: HttpRequest) -> HttpResponse:
    import urllib3

    url = f"{request.GET['url']}/{SECRET}?token={SECRET}"
    retries = urllib3.Retry(2, status_forcelist=[503], raise_on_status=False)
    return HttpResponse(urllib3.request("GET", url, retries=retries).data)


def call_with_requests(request: HttpRequest) -> HttpResponse:
    import requests

    url = f"{request.GET['url']}/{SECRET}?token={SECRET}"
    return HttpResponse(requests.get(url, auth=("user", SECRET), timeout=5).text)


def call_with_boto3(request: HttpRequest) -> HttpResponse:
    import boto3
    from botocore.exceptions import ClientError

    client = boto3.client("sqs", endpoint_url=request.GET["url"])
    try:
        return JsonResponse(client.list_queues())
    except ClientError as error:
        return HttpResponse(str(error))


def record_by_hand(request: HttpRequest) -> HttpResponse:
    """Record a subsegment with the SDK, as a project could."""
    from aws_xray_sdk.core import xray_recorder

    with xray_recorder.in_subsegment("by (hand)", namespace="remote") as opened:
        opened.put_http_meta("url", f"https://user:{SECRET}@example.com/{SECRET}?a=1")
        raise RuntimeError(f"The password is {SECRET}")


def break_tracing(request: HttpRequest, name: str) -> HttpResponse:
    """Make a method of the SDK's recorder raise."""
    from aws_xray_sdk.core import xray_recorder

    def fail(*args: object) -> None:
        raise RuntimeError("The SDK failed")

    setattr(xray_recorder, name, fail)
    return HttpResponse("broken")


def imported(request: HttpRequest) -> HttpResponse:
    return HttpResponse(json.dumps(sorted(sys.modules)))


urlpatterns += [
    path("look-up/<str:name>/", look_up),
    path("crash/", crash),
    path("crash-in-query/", crash_in_query),
    path("exit/", exit_process),
    path("slow-query/", slow_query),
    path("urllib3/", call_with_urllib3),
    path("requests/", call_with_requests),
    path("boto3/", call_with_boto3),
    path("by-hand/", record_by_hand),
    path("break-tracing/<str:name>/", break_tracing),
    path("imported/", imported),
]

http = lambda_entry.http
