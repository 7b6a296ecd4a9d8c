"""SnapStart, the end of an environment, and its beginning."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from local.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.events import load_event
from tests.services.install import PROJECT

READY = load_event("http_default", rawPath="/health/ready")


def lines(log: str) -> list[dict[str, Any]]:
    """Return the log lines that are JSON."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


# SnapStart


@pytest.fixture(scope="module")
def clones(server: SiteServer) -> list[dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.aws_lambda.lifecycle.clones"],
        cwd=PROJECT,
        env=server.variables(server.postgresql.port)
        | {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    told = [json.loads(process.stdout.readline()) for _ in range(5)]
    process.communicate("\n" * 5)
    return told


def values(clones: list[dict[str, Any]], name: str, *, restored: bool) -> set[Any]:
    return {clone[name] for clone in clones if clone["restored"] is restored}


@pytest.mark.parametrize("name", ["backend", "random", "message_id"])
def test_no_two_clones_share_what_must_be_unique(
    clones: list[dict[str, Any]], name: str
):
    assert len(values(clones, name, restored=True)) == 3


def test_the_snapshot_holds_no_connection(clones: list[dict[str, Any]]):
    assert not any(clone["held"] for clone in clones)


def test_without_the_hook_clones_would_share_their_random_numbers(
    clones: list[dict[str, Any]],
):
    assert len(values(clones, "random", restored=False)) == 1


def test_a_restored_environment_serves(server: SiteServer):
    variables = server.variables(server.postgresql.port)
    with ExecutionEnvironment(variables, snap_start=True) as environment:
        environment.restore()

        assert environment.invoke(READY)["statusCode"] == 200


# The end


def test_sigterm_closes_the_connections(server: SiteServer):
    variables = server.variables(server.postgresql.port, "proxy")
    with ExecutionEnvironment(variables) as environment:
        environment.invoke(READY)
        assert server.held() == 1

        assert environment.shut_down() == 0

    assert held_soon(server, 0)


def held_soon(server: SiteServer, expected: int) -> bool:
    """Tell whether so many connections are held, once the server has noticed."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s "
        "AND pg_sleep(0.05) IS NOT NULL"
    )
    return any(server.ask(query, ROLE) == [(expected,)] for _ in range(40))


# The beginning


@pytest.fixture
def environment(server: SiteServer) -> Iterator[ExecutionEnvironment]:
    variables = server.variables(server.postgresql.port) | {"LOG_LEVEL": "INFO"}
    with ExecutionEnvironment(variables) as environment:
        yield environment


def test_the_init_phase_is_reported_once_with_its_duration(
    environment: ExecutionEnvironment,
):
    environment.invoke(READY)
    environment.invoke(READY)

    [line] = [entry for entry in lines(environment.log) if "InitDuration" in entry]
    assert line["InitDuration"] > 0


def test_the_warm_up_leaves_no_request_in_the_log_and_no_connection(
    environment: ExecutionEnvironment, server: SiteServer
):

    assert not any("status" in entry for entry in lines(environment.log))
    assert server.held() == 0


def test_only_the_first_invocation_is_a_cold_start(environment: ExecutionEnvironment):
    for _ in range(3):
        environment.invoke(READY)

    access = [entry for entry in lines(environment.log) if "status" in entry]
    assert [entry["cold_start"] for entry in access] == [True, False, False]
    assert [entry["ColdStarts"] for entry in access] == [1, 0, 0]


def test_a_database_that_is_down_does_not_fail_the_init_phase(server: SiteServer):
    live = load_event("http_default", rawPath="/health/live")

    # Port 1 is nobody's.
    with ExecutionEnvironment(server.variables(1)) as environment:
        assert environment.invoke(live)["statusCode"] == 200
        assert environment.invoke(READY)["statusCode"] == 503


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY is not set"),
        ({"DEBUG": "Treu"}, "DEBUG must be true or false"),
        ({"DJANGO_SETTINGS_MODULE": "project.absent"}, "No module named"),
        ({"SECRET_KEY": "ssm:/absent"}, "SECRET_KEY"),
    ],
)
def test_a_failed_init_phase_says_why_in_the_log_and_nothing_to_lambda(
    server: SiteServer, variables: dict[str, str], reason: str
):
    # The reference is asked for at a port on which nobody listens.
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    environment = ExecutionEnvironment(
        server.variables(server.postgresql.port) | nowhere | variables
    )

    with pytest.raises(FunctionError) as failure:
        environment.start()
    environment.stop()

    [line] = lines(environment.log)
    assert line["level"] == "CRITICAL"
    assert reason in line["exception"]["message"]
    assert reason not in str(failure.value)
    assert "see the line of level CRITICAL in the log" in str(failure.value)


# Lambda's own settings of the log


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_each_record_is_one_json_line_whatever_format_lambda_is_set_to(
    server: SiteServer, log_format: str
):
    variables = server.variables(server.postgresql.port)
    del variables["LOG_LEVEL"]
    lambdas = {"AWS_LAMBDA_LOG_FORMAT": log_format, "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    nowhere = load_event("http_default", rawPath='/nowhere"}\n{"level": "CRITICAL"}')
    nowhere["headers"]["x-request-id"] = "forged"

    with ExecutionEnvironment(variables | lambdas) as environment:
        environment.invoke(nowhere)
        log = environment.log

    found = [line for line in log.splitlines() if "nowhere" in line or "404" in line]
    entries = [json.loads(line) for line in found]
    assert sorted(entry["logger"] for entry in entries) == [
        "apps.aws_lambda.access",
        "django.request",
    ]
    # No JSON within JSON, and nothing of what the client wrote became a line.
    assert not any(entry["message"].startswith("{") for entry in entries)
    assert not any(entry["level"] == "CRITICAL" for entry in lines(log))
    assert not any(entry.get("request_id") == "forged" for entry in lines(log))


@pytest.mark.parametrize(
    ("variables", "levels"),
    [
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO"}, {"INFO", "WARNING"}),
        ({"AWS_LAMBDA_LOG_LEVEL": "WARN"}, {"WARNING"}),
        ({"AWS_LAMBDA_LOG_LEVEL": "FATAL"}, set()),
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO", "LOG_LEVEL": "ERROR"}, set()),
    ],
)
def test_lambdas_log_level_counts_unless_there_is_our_own(
    server: SiteServer, variables: dict[str, str], levels: set[str]
):
    rest = server.variables(server.postgresql.port) | {"LOG_LEVEL": ""}
    json_format = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}

    with ExecutionEnvironment(rest | json_format | variables) as environment:
        environment.invoke(load_event("http_default", rawPath="/nowhere"))
        log = environment.log

    assert {entry["level"] for entry in lines(log)} == levels


def test_a_restored_clone_tells_its_own_story(server: SiteServer):
    variables = server.variables(server.postgresql.port) | {"LOG_LEVEL": "INFO"}
    trace = "1-69231c2e-4f5e6d7c8b9a0a1b2c3d4e5f"
    first, second = (load_event("http_default", rawPath="/") for _ in range(2))
    first["requestContext"]["requestId"] = "the-first"
    second["requestContext"]["requestId"] = "the-second"

    with ExecutionEnvironment(variables, snap_start=True) as environment:
        environment.restore()
        environment.api.trace = f"Root={trace}"
        environment.invoke(first)
        environment.invoke(second)
        log = environment.log

    access = [entry for entry in lines(log) if "status" in entry]
    assert [entry["request_id"] for entry in access] == ["the-first", "the-second"]
    assert [entry["cold_start"] for entry in access] == [True, False]
    assert {entry["trace_id"] for entry in access} == {trace}
