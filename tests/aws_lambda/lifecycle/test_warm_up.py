"""What the first request needs is there when it comes."""

import json
from typing import Any

import pytest

from local.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.events import load_event

HANDLER = "tests.aws_lambda.lifecycle.warmed.http"


@pytest.fixture(autouse=True)
def _earlier_connections_are_gone(server: SiteServer) -> None:
    assert none_left(server)


def environment(
    server: SiteServer,
    variables: dict[str, str] | None = None,
    *,
    port: int = 0,
    profile: str = "direct",
    snap_start: bool = False,
) -> ExecutionEnvironment:
    return ExecutionEnvironment(
        server.variables(port or server.postgresql.port, profile) | (variables or {}),
        handler=HANDLER,
        snap_start=snap_start,
    )


def get(environment: ExecutionEnvironment, path: str, session: str = "") -> Any:
    cookies = [f"sessionid={session}"] if session else []
    return environment.invoke(load_event("http_default", rawPath=path, cookies=cookies))


def backends(server: SiteServer) -> list[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
    return [pid for (pid,) in server.ask(query, ROLE)]


# Modules and templates


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/health/ready"])
def test_the_first_request_loads_no_module_and_no_template(
    server: SiteServer, path: str
):
    with environment(server) as warmed:
        assert get(warmed, path)["statusCode"] == 200
        loaded = json.loads(get(warmed, "/since-init/")["body"])

    assert loaded == {"modules": [], "templates": []}


def test_the_first_request_with_a_session_loads_no_module(server: SiteServer):
    with environment(server) as warmed:
        assert get(warmed, "/admin/", server.session)["statusCode"] == 200
        loaded = json.loads(get(warmed, "/since-init/")["body"])

    assert loaded["modules"] == []


def test_the_templates_of_the_warmed_pages_are_compiled(server: SiteServer):
    with environment(server) as warmed:
        loaded = json.loads(get(warmed, "/at-init/")["body"])

    assert {"home.html", "admin/login.html"} <= set(loaded["templates"])


# The database, if asked


ASKED = {"LAMBDA_WARM_UP_DATABASE": "true"}


def test_the_first_request_uses_the_connection_of_the_init_phase(server: SiteServer):
    with environment(server, ASKED, profile="proxy") as warmed:
        [opened] = backends(server)

        assert get(warmed, "/backend/")["body"] == str(opened)
        assert backends(server) == [opened]


@pytest.mark.parametrize(("variables", "profile"), [({}, "proxy"), (ASKED, "direct")])
def test_the_init_phase_opens_no_connection_unasked_or_in_vain(
    server: SiteServer, variables: dict[str, str], profile: str
):
    with environment(server, variables, profile=profile):
        assert backends(server) == []


def test_the_snapshot_holds_no_connection_of_the_init_phase(server: SiteServer):
    with environment(server, ASKED, profile="proxy", snap_start=True) as warmed:
        assert none_left(server)
        warmed.restore()

        assert get(warmed, "/health/ready")["statusCode"] == 200


def none_left(server: SiteServer) -> bool:
    """Tell whether all connections are gone, once the server has noticed."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s "
        "AND pg_sleep(0.05) IS NOT NULL"
    )
    return any(server.ask(query, ROLE) == [(0,)] for _ in range(100))


def test_a_database_that_is_down_is_logged_and_does_not_fail_the_init_phase(
    server: SiteServer,
):
    # Port 1 is nobody's.
    with environment(server, ASKED, profile="proxy", port=1) as warmed:
        lines = [json.loads(line) for line in warmed.log.splitlines()]
        assert get(warmed, "/health/live")["statusCode"] == 200

    [line] = [line for line in lines if line["level"] == "ERROR"]
    assert line["message"] == "The init phase could not connect to DATABASES['default']"
    assert line["exception"]["type"] == "django.db.utils.OperationalError"
    assert server.password not in json.dumps(line)
