"""The project in a process as on Lambda, with this runtime client and streaming on."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from django.conf import settings

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, StreamedResult
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaClient
from apps.aws_lambda.test.wire import Streamed
from tests.aws_lambda.runtime.stand_in import ROOT
from tests.aws_lambda.runtime.test_streaming import started
from tests.events import load_event

# That one needs a variable of its own, LAMBDA_BASE_PATH.
NAMES = [name for name in EVENT_SOURCES if name != "http_mapped_key"]

# Prints the key of an administrator's session.
PREPARE = """
import django
django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
from apps.documents.models import Document
call_command("migrate", verbosity=0)
client = Client()
user = get_user_model().objects.create(username="a", is_staff=True, is_superuser=True)
client.force_login(user, "django.contrib.auth.backends.ModelBackend")
Document.objects.create(pk=1, title="Minutes", status=Document.Status.PROCESSED)
print(client.session.session_key)
"""


class Site(NamedTuple):
    environment: ExecutionEnvironment
    session: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    database = tmp_path_factory.mktemp("site") / "db.sqlite3"
    variables = {
        "ENV_FILE": "/dev/null",
        "STAGE": "test",
        "ALLOWED_HOSTS": "*",
        "STATIC_ROOT": str(settings.STATIC_ROOT),
        "SECRET_KEY": "only-for-tests",
        "DATABASE_URL": f"sqlite:///{database}",
        "MEDIA_BUCKET": "media",
        "DJANGO_SETTINGS_MODULE": "project.settings",
        "LAMBDA_STREAMING": "true",
    }
    printed = subprocess.check_output(
        [sys.executable, "-c", PREPARE], cwd=ROOT, env=os.environ | variables, text=True
    )
    with started(variables, "lambda_entry.http") as running:
        yield Site(running, printed.split()[-1])


def streamed(event_source: EventSource) -> EventSource:
    """Return it as the parameter `streaming` configures it."""
    streams = event_source.name.startswith(("rest", "function_url"))
    return replace(event_source, handler_options={"streaming": streams})


@pytest.fixture(params=NAMES)
def client(request: pytest.FixtureRequest, site: Site) -> Any:
    """Return a client of the process, whose responses have attributes of our own."""
    client = LambdaClient(streamed(EVENT_SOURCES[request.param]))
    client.function.handler = lambda event, context: invoke(site.environment, event)
    client.cookies["sessionid"] = site.session
    return client


def invoke(environment: ExecutionEnvironment, event: Any) -> Any:
    result = environment.invoke(event)
    if not isinstance(result, StreamedResult):
        return result
    prelude = json.dumps(result.prelude).encode() + bytes(8)
    return Streamed((prelude, *result))


def test_pages_cookies_and_static_files(client: Any):
    prefix = client.event_source.prefix
    del client.cookies["sessionid"]

    redirect = client.get("/admin/")
    assert redirect.status_code == 302
    assert redirect.url == f"{prefix}/admin/login/?next={prefix}/admin/"

    page = client.get(redirect.url)
    assert (page.status_code, page.fault, page.cut) == (200, "", "")
    assert page.headers["X-Request-ID"]
    assert client.cookies["csrftoken"].value
    [link] = re.findall(r'href="([^"]+/base[^"]*\.css)"', page.text)
    assert link.startswith(f"{prefix}/static/")

    style = client.get(link)
    assert style.headers["Content-Type"].startswith("text/css")
    assert len(style.content) > 10_000
    part = client.get(link, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, style.content[100:200])
    same = {"If-Modified-Since": style.headers["Last-Modified"]}
    unmodified = client.get(link, headers=same)
    assert (unmodified.status_code, unmodified.content) == (304, b"")
    head = client.head(link)
    assert (head.status_code, head.content) == (200, b"")


def test_forms_and_errors(client: Any):
    prefix = client.event_source.prefix
    origin = {"Origin": f"https://{client.event_source.host}"}
    name = f"Écrivains {client.event_source.name}"
    add = "/admin/auth/group/add/"

    refused = client.post(add, {"name": name}, headers=origin)
    assert refused.status_code == 403
    client.get(add)
    token = client.cookies["csrftoken"].value
    # The form has several parts, as with a file.
    form = {"name": name, "csrfmiddlewaretoken": token}
    added = client.post(add, form, headers=origin)
    assert (added.status_code, added.url) == (302, f"{prefix}/admin/auth/group/")
    # The message is in a cookie.
    shown = client.get(added.url)
    assert name in shown.text
    assert 'class="success"' in shown.text

    missing = client.get("/nowhere/", headers={"Accept": "application/json"})
    assert (missing.status_code, missing.fault) == (404, "")
    assert missing.json()["requestId"] == missing.headers["X-Request-ID"]


def test_events_of_a_task_are_sent_one_by_one_where_that_is_possible(client: Any):
    response = client.get("/admin/documents/document/1/progress/")

    assert response.headers["Content-Type"] == "text/event-stream"
    first, second, end = response.content.split(b"\n\n")
    assert first.startswith(b"retry: 1000\nid: ")
    assert second.startswith(b"event: done\ndata: ")
    assert end == b""
    assert (response.fault, response.cut) == ("", "")
    if client.event_source.streams:
        assert len(response.chunks) == 2


def test_the_health_check_of_a_release_is_not_streamed(site: Site):
    """It comes from no event source."""
    event = load_event("http_default", rawPath="/health/live")
    del event["requestContext"]["domainName"]

    checked = site.environment.invoke(event)

    assert checked["statusCode"] == 200
    page = site.environment.invoke(load_event("function_url", rawPath="/health/live"))
    assert json.loads(b"".join(page)) == json.loads(checked["body"])
