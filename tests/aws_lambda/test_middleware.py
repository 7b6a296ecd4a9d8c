"""The request ID, responses to exceptions, and the cookie path."""

from datetime import datetime, timedelta

import pytest
from django.core import signals
from django.test import Client

from apps.aws_lambda.test import LambdaClient
from tests.aws_lambda.urls import SECRET

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

pytestmark = pytest.mark.urls("tests.aws_lambda.urls")


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


# The request ID


@pytest.mark.parametrize("event_source", ["rest_stage", "http_default", "function_url"])
def test_the_gateway_assigns_the_request_id(event_source: str):
    client = LambdaClient(event_source=event_source)

    response = client.get("/log", headers={"X-Request-ID": "forged"})

    expected = client.last_event["requestContext"]["requestId"]
    assert response["X-Request-ID"] == expected != "forged"


def test_each_request_without_a_gateway_has_its_own_id(client: Client):
    first = client.get("/log")["X-Request-ID"]
    second = client.get("/log")["X-Request-ID"]

    assert first
    assert second
    assert first != second


# Responses to exceptions


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("bad-request", 400, "bad_request"),
        ("suspicious", 400, "bad_request"),
        ("forbidden", 403, "permission_denied"),
        ("missing", 404, "not_found"),
        ("crash", 500, "internal_error"),
    ],
)
def test_an_api_client_receives_json(
    client: Client, name: str, status: int, error: str
):
    response = client.get(f"/raise/{name}")

    assert response.status_code == status
    assert response["Content-Type"] == "application/json"
    body = response.json()
    assert body.keys() == {"statusCode", "error", "message", "requestId", "timestamp"}
    assert body["statusCode"] == status
    assert body["error"] == error
    assert body["requestId"] == response["X-Request-ID"]
    assert datetime.fromisoformat(body["timestamp"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("name", "status"),
    [("bad-request", 400), ("forbidden", 403), ("missing", 404), ("crash", 500)],
)
def test_a_browser_receives_a_page_with_the_request_id(
    client: Client, name: str, status: int
):
    response = client.get(f"/raise/{name}", headers={"Accept": BROWSER})

    assert response.status_code == status
    assert response["Content-Type"].startswith("text/html")
    page = response.content.decode()
    assert response["X-Request-ID"] in page
    assert str(status) in page


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])
@pytest.mark.parametrize("name", ["bad-request", "suspicious", "forbidden", "crash"])
def test_an_exception_message_is_only_logged(
    client: Client, caplog, name: str, accept: str
):
    response = client.get(f"/raise/{name}", headers={"Accept": accept})

    assert SECRET not in response.content.decode()
    assert SECRET in caplog.text


def test_an_unknown_url_has_the_same_format(client: Client):
    response = client.get("/nowhere")

    assert response.status_code == 404
    assert response.json()["error"] == "not_found"


def test_an_exception_is_logged_once(client: Client, caplog):
    client.get("/raise/crash")

    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert len(errors) == 1
    assert errors[0].name == "django.request"
    assert errors[0].exc_info
    assert errors[0].exc_info[0] is RuntimeError


def test_got_request_exception_is_sent_once(client: Client):
    received = []

    def receive(**kwargs: object) -> None:
        received.append(kwargs)

    signals.got_request_exception.connect(receive)
    try:
        client.get("/raise/crash")
    finally:
        signals.got_request_exception.disconnect(receive)

    assert len(received) == 1


def test_debug_shows_djangos_page(client: Client, settings):
    settings.DEBUG = True

    page = client.get("/raise/crash").content.decode()

    assert "RuntimeError" in page
    assert "Traceback" in page


def test_a_form_over_the_limit_is_413(client: Client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    response = client.post("/form", {"name": "x" * 200})

    assert response.status_code == 413
    assert response.json()["error"] == "request_too_large"


def test_a_csrf_failure_is_explained():
    client = LambdaClient(event_source="rest_stage", enforce_csrf_checks=True)

    response = client.post("/form", {"name": "x"})

    assert response.status_code == 403
    body = response.json()
    assert body["error"] == "csrf_failed"
    assert "Reload the page" in body["message"]


def test_an_exception_outside_a_view_has_the_same_format(client: Client, settings):
    settings.MIDDLEWARE = [
        settings.MIDDLEWARE[0],
        "tests.aws_lambda.test_middleware.broken_middleware",
    ]

    response = client.get("/log")

    assert response.status_code == 500
    assert response.json()["error"] == "internal_error"
    assert SECRET not in response.content.decode()


def broken_middleware(get_response):
    def middleware(request):
        raise RuntimeError(SECRET)

    return middleware


# The cookie path


@pytest.fixture
def with_cookie_paths(settings):
    settings.MIDDLEWARE = [
        "apps.aws_lambda.middleware.CookiePathMiddleware",
        *settings.MIDDLEWARE,
    ]


@pytest.mark.usefixtures("with_cookie_paths")
def test_a_cookie_path_is_the_stage():
    response = LambdaClient(event_source="rest_stage").get("/cookies")

    assert response.cookies["everywhere"]["path"] == "/prod"


@pytest.mark.usefixtures("with_cookie_paths")
def test_a_cookie_keeps_another_path():
    response = LambdaClient(event_source="rest_stage").get("/cookies")

    assert response.cookies["somewhere"]["path"] == "/account"


@pytest.mark.usefixtures("with_cookie_paths")
def test_a_cookie_path_without_a_prefix_is_the_root():
    response = LambdaClient(event_source="http_default").get("/cookies")

    assert response.cookies["everywhere"]["path"] == "/"
