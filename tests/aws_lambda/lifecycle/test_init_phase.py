"""The init phase, and the first invocations after it."""

from collections.abc import Iterator

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.lifecycle.conftest import json_lines
from tests.events import load_event

READY = load_event("http_default", rawPath="/health/ready")


@pytest.fixture
def environment(server: SiteServer) -> Iterator[ExecutionEnvironment]:
    variables = server.variables(server.postgresql.port) | {"LOG_LEVEL": "INFO"}
    with ExecutionEnvironment(variables) as environment:
        yield environment


def test_the_duration_of_the_init_phase_is_logged_once(
    environment: ExecutionEnvironment,
):
    environment.invoke(READY)
    environment.invoke(READY)

    [line] = [entry for entry in json_lines(environment.log) if "InitDuration" in entry]
    assert line["InitDuration"] > 0


def test_the_warm_up_leaves_no_log_line_and_no_connection(
    environment: ExecutionEnvironment, server: SiteServer
):
    assert not any("status" in entry for entry in json_lines(environment.log))
    assert server.held() == 0


def test_only_the_first_invocation_is_a_cold_start(environment: ExecutionEnvironment):
    for _ in range(3):
        environment.invoke(READY)

    access = [entry for entry in json_lines(environment.log) if "status" in entry]
    assert [entry["cold_start"] for entry in access] == [True, False, False]
    assert [entry["ColdStarts"] for entry in access] == [1, 0, 0]


def test_a_database_that_is_down_does_not_fail_the_init_phase(server: SiteServer):
    live = load_event("http_default", rawPath="/health/live")

    # No server listens on port 1.
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
def test_a_failed_init_phase_is_logged_only(
    server: SiteServer, variables: dict[str, str], reason: str
):
    # No server listens on the port of the parameter store.
    nowhere = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    environment = ExecutionEnvironment(
        server.variables(server.postgresql.port) | nowhere | variables
    )

    with pytest.raises(FunctionError) as failure:
        environment.start()
    environment.stop()

    [line] = json_lines(environment.log)
    assert line["level"] == "FATAL"
    assert reason in line["exception"]["message"]
    assert reason not in str(failure.value)
    assert "see the FATAL log line" in str(failure.value)
