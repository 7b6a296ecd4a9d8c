"""The site behind serverless-offline, with an HTTP client."""

import json
import re
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest

from tests.e2e.conftest import Site

# Shorter than the function's timeout of 28 s, after which the gateway responds.
TIMEOUT = 20


# Makes Django query the session.
COOKIE = "sessionid=" + "a" * 32


def fetch(url: str, accept: str = "*/*") -> tuple[int, dict[str, str], str]:
    request = Request(url, headers={"Accept": accept, "Cookie": COOKIE})
    try:
        response = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        response = error
    with response:
        headers = {name.lower(): value for name, value in response.headers.items()}
        return response.status, headers, response.read().decode()


def invocation(url: str) -> int:
    _, _, page = fetch(f"{url}/", "text/html")
    match = re.search(r"number (\d+) in this execution environment", page)
    return int(match[1]) if match else 1


@pytest.fixture
def broken_table(site: Site):
    """Rename a table, so that Django's views raise."""
    with psycopg.connect(site.database, autocommit=True) as connection:
        connection.execute("ALTER TABLE django_session RENAME TO away")
        yield
        connection.execute("ALTER TABLE away RENAME TO django_session")


@pytest.mark.usefixtures("broken_table")
def test_an_exception_returns_the_500_page_and_keeps_the_process(url: str):
    before = invocation(url)

    status, headers, page = fetch(f"{url}/admin/", "text/html")

    assert status == 500
    assert headers["x-request-id"] in page
    assert "django_session" not in page
    assert invocation(url) == before + 2


@pytest.mark.usefixtures("broken_table")
def test_an_exception_returns_json_to_a_json_client(url: str):
    status, headers, body = fetch(f"{url}/admin/", "application/json")

    assert status == 500
    assert json.loads(body)["error"] == "internal_error"
    assert json.loads(body)["requestId"] == headers["x-request-id"]


def test_a_trailing_slash_is_kept(url: str):
    assert fetch(f"{url}/admin/login/")[0] == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_checks_succeed(url: str, path: str):
    status, headers, body = fetch(url + path)

    assert status == 200
    assert json.loads(body) == {"status": "ok"}
    assert headers["x-request-id"]


def test_request_ids_differ(url: str):
    first, second = (fetch(f"{url}/health/live")[1]["x-request-id"] for _ in range(2))

    assert first != second
