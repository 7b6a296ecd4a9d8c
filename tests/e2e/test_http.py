"""The site behind serverless-offline, as a program sees it."""

import json
import re
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psycopg
import pytest

from tests.e2e.conftest import Site

# A request that hangs is answered by the gateway after the function's timeout,
# 28 seconds.
TIMEOUT = 20


# Django has to look this session up.
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
    match = re.search(r"number (\d+) of this execution environment", page)
    return int(match[1]) if match else 1


@pytest.fixture
def broken_table(site: Site):
    """Take a table away, so that Django's own views raise."""
    with psycopg.connect(site.database, autocommit=True) as connection:
        connection.execute("ALTER TABLE django_session RENAME TO away")
        yield
        connection.execute("ALTER TABLE away RENAME TO django_session")


@pytest.mark.usefixtures("broken_table")
def test_a_view_that_raises_gives_the_500_page_and_the_process_lives_on(url: str):
    before = invocation(url)

    status, headers, page = fetch(f"{url}/admin/", "text/html")

    assert status == 500
    assert headers["x-request-id"] in page
    assert "django_session" not in page
    assert invocation(url) == before + 2


@pytest.mark.usefixtures("broken_table")
def test_a_program_gets_the_500_as_json(url: str):
    status, headers, body = fetch(f"{url}/admin/", "application/json")

    assert status == 500
    assert json.loads(body)["error"] == "internal_error"
    assert json.loads(body)["requestId"] == headers["x-request-id"]


def test_a_slash_at_the_end_is_neither_lost_nor_added(url: str):
    assert fetch(f"{url}/admin/login/")[0] == 200


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_answers(url: str, path: str):
    status, headers, body = fetch(url + path)

    assert status == 200
    assert json.loads(body) == {"status": "ok"}
    assert headers["x-request-id"]


def test_request_ids_differ(url: str):
    first, second = (fetch(f"{url}/health/live")[1]["x-request-id"] for _ in range(2))

    assert first != second
