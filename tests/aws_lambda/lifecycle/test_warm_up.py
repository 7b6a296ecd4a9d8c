"""The warm-up in the init phase: modules, templates and the database connection."""

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.warm_up import warm_up
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.aws_lambda.lifecycle.conftest import json_lines, no_connection_left
from tests.events import load_event

HANDLER = "tests.aws_lambda.lifecycle.warmed.http"


@pytest.fixture(autouse=True)
def _no_earlier_connection(server: SiteServer) -> None:
    assert no_connection_left(server)


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
    event = load_event("http_default", rawPath=path, cookies=cookies)
    event["headers"]["accept-encoding"] = "identity"
    return environment.invoke(event)


def backends(server: SiteServer) -> list[int]:
    query = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
    return [pid for (pid,) in server.ask(query, ROLE)]


# Modules and templates


@pytest.mark.parametrize("path", ["/", "/admin/login/", "/health/ready"])
def test_the_first_request_loads_no_module_or_template(server: SiteServer, path: str):
    with environment(server) as warmed:
        assert get(warmed, path)["statusCode"] == 200
        loaded = json.loads(get(warmed, "/since-init/")["body"])

    assert loaded == {"modules": [], "templates": []}


def test_the_first_session_loads_no_module(server: SiteServer):
    with environment(server) as warmed:
        assert get(warmed, "/admin/", server.session)["statusCode"] == 200
        loaded = json.loads(get(warmed, "/since-init/")["body"])

    assert loaded["modules"] == []


def test_templates_of_the_warmed_pages_are_compiled(server: SiteServer):
    with environment(server) as warmed:
        loaded = json.loads(get(warmed, "/at-init/")["body"])

    assert {"home.html", "admin/login.html"} <= set(loaded["templates"])


# URLs and template engines, without a request


@pytest.fixture
def site(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a URLconf and of template tags that are not imported yet."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"site_{tmp_path.name.replace('-', '_')}"
    package = tmp_path / name
    package.mkdir()
    (package / "urls.py").write_text(
        "from django.http import HttpResponse\n"
        "from django.urls import path\n"
        "urlpatterns = [path('here/', lambda r: HttpResponse(), name='here')]\n"
    )
    (package / "tags.py").write_text(
        "from django import template\nregister = template.Library()\n"
    )
    settings.ROOT_URLCONF = f"{name}.urls"
    [engine] = settings.TEMPLATES
    options = {**engine["OPTIONS"], "libraries": {"site": f"{name}.tags"}}
    settings.TEMPLATES = [{**engine, "OPTIONS": options}]
    return package


def no_application(environ: object, start_response: object) -> list[bytes]:
    raise AssertionError("The warm-up without paths makes no request.")


def test_names_of_urls_and_template_tags_are_loaded_without_a_request(site: Path):
    warm_up(no_application, [])

    assert f"{site.name}.tags" in sys.modules
    # The index of the names is complete.
    sys.modules[f"{site.name}.urls"].urlpatterns.clear()
    assert reverse("here") == "/here/"


def test_a_query_of_template_tags_is_not_sent(
    site: Path, caplog: pytest.LogCaptureFixture
):
    with (site / "tags.py").open("a") as module:
        module.write("from django.db import connection\nconnection.connect()\n")

    warm_up(no_application, [])

    assert "The warm-up failed: create_template_engines" in caplog.text
    assert "ConnectionRefused" in caplog.text
    assert reverse("here") == "/here/"


def test_a_urlconf_that_fails_does_not_end_the_init_phase(
    site: Path, caplog: pytest.LogCaptureFixture
):
    (site / "urls.py").write_text("raise ValueError")

    warm_up(no_application, [])

    assert f"The init phase could not import {site.name}.urls" in caplog.text
    assert f"{site.name}.tags" in sys.modules


# The requests


OWN = {"DJANGO_SETTINGS_MODULE": "tests.aws_lambda.lifecycle.own_settings"}


def own_site(variables: dict[str, str]) -> ExecutionEnvironment:
    return ExecutionEnvironment(variables | OWN | {"LOG_LEVEL": "INFO"})


def test_the_sites_own_wsgi_application_is_served(server: SiteServer):
    with own_site(server.variables(server.postgresql.port)) as own:
        seen = json.loads(get(own, "/seen/")["body"])
        # ATOMIC_REQUESTS is on again.
        assert get(own, "/query/")["body"] == "True"
        lines = json_lines(own.log)

    warmed, served = seen
    assert warmed == ["127.0.0.1", "https", True]
    assert served == ["203.0.113.7", "https", True]
    # Its module has not configured logging again, which disables loggers.
    assert [line["status"] for line in lines if "status" in line] == [200, 200]


def test_the_warm_up_connects_to_no_database(server: SiteServer):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        with own_site(server.variables(listener.getsockname()[1], "proxy")) as own:
            lines = json_lines(own.log)
        with pytest.raises(BlockingIOError):
            listener.accept()

    [line] = [line for line in lines if line["level"] != "INFO"]
    assert line["level"] == "WARN"
    assert line["message"].startswith(
        "The warm-up of /query/, /transaction/, /query/async/ ended at a database"
    )
    assert "exception" not in line


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_a_page_that_fails_does_not_end_the_init_phase(
    error: type[BaseException], caplog: pytest.LogCaptureFixture
):
    def application(environ: object, start_response: object) -> list[bytes]:
        raise error

    warm_up(application, ["/"])

    assert "The warm-up of / failed" in caplog.text


# The database


WARM_UP_DATABASE = {"LAMBDA_WARM_UP_DATABASE": "true"}


def test_the_first_request_uses_the_connection_of_the_init_phase(server: SiteServer):
    with environment(server, WARM_UP_DATABASE, profile="proxy") as warmed:
        [opened] = backends(server)

        assert get(warmed, "/backend/")["body"] == str(opened)
        assert backends(server) == [opened]


def test_the_pages_of_the_warm_up_query_the_connection_of_the_init_phase(
    server: SiteServer,
):
    variables = server.variables(server.postgresql.port, "proxy") | WARM_UP_DATABASE
    with own_site(variables) as own:
        opened = backends(server)
        # In the transaction of ATOMIC_REQUESTS, as in the warm-up.
        assert get(own, "/query/")["body"] == "True"
        assert backends(server) == opened
        levels = {line["level"] for line in json_lines(own.log)}

    assert (len(opened), levels) == (1, {"INFO"})


def test_a_transaction_that_the_warm_up_leaves_open_is_rolled_back(server: SiteServer):
    variables = server.variables(server.postgresql.port, "proxy") | WARM_UP_DATABASE
    paths = {"OWN_WARM_UP_PATHS": "/transaction/open/"}
    with own_site(variables | paths) as own:
        assert backends(server) == []
        assert get(own, "/query/")["statusCode"] == 200
        lines = json_lines(own.log)

    [line] = [line for line in lines if line["level"] != "INFO"]
    assert line["message"].startswith("A transaction was left open on DATABASES")


@pytest.mark.parametrize(
    ("variables", "profile"), [({}, "proxy"), (WARM_UP_DATABASE, "direct")]
)
def test_the_init_phase_opens_no_needless_connection(
    server: SiteServer, variables: dict[str, str], profile: str
):
    with environment(server, variables, profile=profile):
        assert backends(server) == []


def test_a_snapshot_holds_no_connection(server: SiteServer):
    with environment(
        server, WARM_UP_DATABASE, profile="proxy", snap_start=True
    ) as warmed:
        assert no_connection_left(server)
        warmed.restore()

        assert get(warmed, "/health/ready")["statusCode"] == 200


def test_a_database_that_is_down_is_logged(
    server: SiteServer,
):
    # No server listens on port 1.
    with environment(server, WARM_UP_DATABASE, profile="proxy", port=1) as warmed:
        lines = json_lines(warmed.log)
        assert get(warmed, "/health/live")["statusCode"] == 200

    [line] = [line for line in lines if line["level"] == "ERROR"]
    assert line["message"] == "The init phase could not connect to DATABASES['default']"
    assert line["exception"]["type"] == "django.db.utils.OperationalError"
    assert server.password not in json.dumps(line)
