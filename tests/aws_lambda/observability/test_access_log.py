"""The access log: one line per request, with its metrics."""

import logging
from typing import Any

import pytest
from django.test import Client

from apps.aws_lambda.test import LambdaClient


@pytest.fixture
def lines(caplog) -> list[logging.LogRecord]:
    class Lines(list[Any]):
        def __iter__(self):
            name = "apps.aws_lambda.access"
            return iter(r for r in caplog.records if r.name == name)

    caplog.set_level(logging.INFO)
    return Lines()


@pytest.mark.django_db
def test_a_request_is_one_line(lines, admin_user: Any):
    client = LambdaClient(event_source="rest_stage")
    client.force_login(admin_user)

    response = client.get(f"/admin/accounts/user/{admin_user.pk}/change/?secret=1")

    [line] = lines
    route = "/admin/accounts/user/<path:object_id>/change/"
    assert line.message == f"GET {route} 200"
    assert (line.method, line.route, line.status) == ("GET", route, 200)
    assert line.response_bytes == len(response.content)
    assert line.duration_ms > 0
    assert line.queries >= 2
    assert 0 < line.queries_ms < line.duration_ms
    assert line.metrics["Requests"] == 1
    assert line.metrics["DatabaseTime"] == (line.queries_ms, "Milliseconds")
    assert line.metrics["Duration"] == (line.duration_ms, "Milliseconds")
    assert line.metrics["RemainingTime"][0] > 0


@pytest.mark.urls("tests.aws_lambda.urls")
@pytest.mark.parametrize(
    ("path", "errors", "client_errors"),
    [("/log", 0, 0), ("/raise/missing", 0, 1), ("/raise/crash", 1, 0)],
)
def test_client_and_server_errors_are_counted_separately(
    lines, path: str, errors: int, client_errors: int
):
    LambdaClient(raise_request_exception=False).get(path)

    [line] = lines
    assert line.metrics["Errors"] == errors
    assert line.metrics["ClientErrors"] == client_errors


def test_an_unknown_url_has_no_route(lines):
    LambdaClient().get("/made-up-by-a-scanner")

    [line] = lines
    assert line.route == "(none)"
    assert "scanner" not in line.message


def test_a_stream_has_the_size_of_what_was_sent(lines):
    client = LambdaClient()
    link = client.get("/admin/login/").content.decode().partition('href="')[2]
    file = client.get(link.partition('"')[0])

    *_, line = lines
    assert line.response_bytes == len(file.content) > 1000


def test_outside_of_lambda_there_is_no_line(lines, client: Client):
    client.get("/made-up-by-a-scanner")

    assert list(lines) == []
