"""Nothing that a request sets reaches the next one, from any event source."""

from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.signals import request_finished
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import get_script_prefix, path, set_script_prefix
from django.utils import timezone, translation

from apps.aws_lambda.database.connections import in_transaction
from apps.aws_lambda.handlers import lambda_handler
from apps.aws_lambda.invocation import (
    Invocation,
    access_facts,
    activate,
    chain_length,
    request_id,
    task_id,
)
from apps.aws_lambda.test import EventSource, LambdaClient

pytestmark = pytest.mark.urls(__name__)

setting: ContextVar[str] = ContextVar("setting", default="")


def state() -> dict[str, Any]:
    return {
        "language": translation.get_language(),
        "time_zone": timezone.get_current_timezone_name(),
        "setting": setting.get(),
    }


def show(request: HttpRequest) -> JsonResponse:
    return JsonResponse(state())


def change(request: HttpRequest) -> JsonResponse:
    """Change everything, and reset nothing."""
    translation.activate("de")
    timezone.activate("Europe/Berlin")
    setting.set("changed")
    return JsonResponse(state())


def cached(request: HttpRequest) -> HttpResponse:
    caches["default"].set("key", "value")
    return HttpResponse(id(caches["default"]))


def leave(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    raise SystemExit(3)


def begin(request: HttpRequest) -> HttpResponse:
    """Enter a transaction, and do not leave it."""
    transaction.atomic().__enter__()
    Group.objects.create(name="half done")
    return HttpResponse()


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Enter a transaction while the response is read, and do not leave it."""

    def chunks() -> Iterator[bytes]:
        transaction.atomic().__enter__()
        Group.objects.create(name="half done")
        yield b"done"

    return StreamingHttpResponse(chunks())


def execute_begin(request: HttpRequest) -> HttpResponse:
    """Begin a transaction that neither Django nor a counter of queries knows of."""
    connection.ensure_connection()
    connection.connection.execute("BEGIN")
    return HttpResponse()


def close(request: HttpRequest) -> HttpResponse:
    """Enter a transaction when the response is closed, and do not leave it."""
    response = HttpResponse()
    response._resource_closers.append(  # type: ignore[attr-defined]
        transaction.atomic().__enter__
    )
    return response


urlpatterns = [
    path("execute-begin/", execute_begin),
    path("close/", close),
    path("begin/", begin),
    path("stream/", stream),
    path("show/", show),
    path("change/", change),
    path("cached/", cached),
    path("leave/", leave),
]


@pytest.fixture
def client(event_source: EventSource) -> LambdaClient:
    return LambdaClient(event_source)


def test_language_time_zone_and_context_variables_end_with_the_request(
    client: LambdaClient,
):
    before = client.get("/show/").json()

    changed = client.get("/change/").json()

    assert set(changed.values()).isdisjoint(before.values())
    assert client.get("/show/").json() == before == state()


def test_the_script_prefix_ends_with_the_request(client: LambdaClient):
    set_script_prefix("/test/")
    try:
        client.get("/show/")
        assert get_script_prefix() == "/test/"
    finally:
        set_script_prefix("/")


def test_what_the_caller_has_activated_is_active_in_the_request(client: LambdaClient):
    with translation.override("fr"):
        assert client.get("/show/").json()["language"] == "fr"


def test_a_failed_invocation_leaves_no_context_variable():
    def serve(invocation: object) -> None:
        setting.set("changed")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        lambda_handler(serve)({}, None)

    assert setting.get() == ""


def variables() -> tuple[object, ...]:
    return request_id.get(), task_id.get(), chain_length.get(), access_facts.get()


def set_variables() -> None:
    """Set them as a task and a web request do."""
    request_id.set("of another")
    task_id.set("of another")
    chain_length.set(7)
    access_facts.set({"route": "/"})


def test_an_invocation_begins_without_task_chain_and_request():
    def begin() -> tuple[object, ...]:
        set_variables()
        activate(Invocation({}, None, 1))
        return variables()

    assert copy_context().run(begin) == ("", "", 0, None)


def test_the_second_invocation_of_an_environment_begins_like_the_first():
    begun = []

    def serve(invocation: object) -> None:
        begun.append(variables())
        set_variables()

    handler = lambda_handler(serve)

    def invoke_twice() -> None:
        # As if the runtime had called the handler from inside of a task.
        set_variables()
        for _ in range(2):
            handler({}, None)

    copy_context().run(invoke_twice)

    assert begun == [("", "", 0, None)] * 2


class Cache(LocMemCache):
    """A cache that counts how often it is created, as a client of Redis connects."""

    created = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        Cache.created += 1


def test_all_requests_share_the_client_of_a_cache(
    client: LambdaClient, settings: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Cache, "created", 0)
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.Cache"}}

    first, second = client.get("/cached/").text, client.get("/cached/").text

    assert first == second
    assert Cache.created == 1


def test_a_cache_that_cannot_be_created_is_logged(
    settings: Any, caplog: pytest.LogCaptureFixture
):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        "absent": {"BACKEND": "project.absent.Cache"},
    }

    assert lambda_handler(lambda invocation: "served")({}, None) == "served"

    [record] = caplog.records
    assert record.getMessage() == "The init phase could not create CACHES['absent']"


@pytest.mark.django_db
def test_a_request_without_a_response_is_finished(client: LambdaClient):
    finished: list[object] = []

    def receiver(**kwargs: Any) -> None:
        finished.append(kwargs)

    request_finished.connect(receiver)
    try:
        assert client.get("/leave/").status_code == 500
    finally:
        request_finished.disconnect(receiver)

    assert len(finished) == 1
    # The transaction of the test.
    assert connection.in_atomic_block
    assert connection.is_usable()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("middleware", [0, 1])
@pytest.mark.parametrize("url", ["/begin/", "/stream/", "/close/", "/execute-begin/"])
def test_a_transaction_that_a_view_leaves_open_is_rolled_back(
    settings: Any, middleware: int, url: str
):
    """With and without AccessLogMiddleware, which counts the queries."""
    name = "apps.aws_lambda.middleware.AccessLogMiddleware"
    settings.MIDDLEWARE = [name] * middleware

    assert LambdaClient("http_default").get(url).status_code == 200

    assert not in_transaction(connection)
    assert not Group.objects.exists()
