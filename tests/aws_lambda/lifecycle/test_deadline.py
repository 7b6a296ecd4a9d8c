"""Requests that exceed the deadline, in an execution environment."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.events import load_event

# Seconds: Lambda's timeout, and how long before it the guard interrupts.
TIMEOUT, MARGIN = 1.5, 0.5


@pytest.fixture(scope="module")
def environment(server: SiteServer) -> Iterator[ExecutionEnvironment]:
    variables = server.variables(server.postgresql.port) | {
        "LAMBDA_DEADLINE_MARGIN": str(MARGIN),
        "LOG_LEVEL": "INFO",
    }
    with ExecutionEnvironment(
        variables, handler="tests.aws_lambda.lifecycle.failing.http"
    ) as environment:
        yield environment


def event(path: str, accept: str = "*/*") -> dict[str, Any]:
    event = load_event("http_default", rawPath=path)
    event["headers"]["accept"] = accept
    return event


@pytest.mark.parametrize("path", ["/slow-query/", "/stubborn/", "/slow-stream/"])
def test_the_response_is_504_and_the_environment_survives(
    environment: ExecutionEnvironment, path: str
):
    pid = environment.pid

    # Raises FunctionError if the environment ends.
    result = environment.invoke(event(path), TIMEOUT)

    assert result["statusCode"] == 504
    body = json.loads(result["body"])
    assert body["error"] == "deadline_exceeded"
    assert body["requestId"] == result["headers"]["x-request-id"]
    assert environment.invoke(event("/health/ready"))["statusCode"] == 200
    assert environment.pid == pid
    assert environment.alive


def test_a_stream_that_exceeds_the_deadline_is_counted(
    environment: ExecutionEnvironment,
):
    request = event("/slow-stream/")
    request["requestContext"]["requestId"] = "the-slow-stream"

    environment.invoke(request, TIMEOUT)

    [hit] = [
        json.loads(line)
        for line in environment.log.splitlines()
        if "the-slow-stream" in line and "DeadlineHits" in line
    ]
    assert hit["DeadlineHits"] == 1


def test_the_transaction_is_rolled_back(
    environment: ExecutionEnvironment, server: SiteServer
):
    environment.invoke(event("/slow-query/"), TIMEOUT)

    assert environment.invoke(event("/groups/"))["body"] == ""
    active = server.ask(
        "SELECT query FROM pg_stat_activity WHERE usename = %s AND state = 'active'",
        ROLE,
    )
    assert active == []


def test_a_browser_receives_a_page(environment: ExecutionEnvironment):
    result = environment.invoke(event("/slow-query/", "text/html"), TIMEOUT)

    assert result["statusCode"] == 504
    assert "took too long" in result["body"]


@pytest.mark.alone
def test_the_view_and_its_duration_are_logged(
    environment: ExecutionEnvironment,
):
    request = event("/slow-query/")
    request["requestContext"]["requestId"] = "the-slow-one"

    environment.invoke(request, TIMEOUT)

    lines = [
        json.loads(line) for line in environment.log.splitlines() if line[:1] == "{"
    ]
    mine = [line for line in lines if line.get("request_id") == "the-slow-one"]
    error = next(line for line in mine if line["level"] == "ERROR")
    assert error["message"] == "Deadline exceeded in slow-query"
    assert (error["DeadlineHits"], error["route"]) == (1, "/slow-query/")
    assert "pg_sleep" in error["exception"]["traceback"]
    access = next(line for line in mine if line["logger"].endswith(".access"))
    assert access["route"] == "/slow-query/"
    assert access["status"] == 504
    assert access["duration_ms"] == pytest.approx((TIMEOUT - MARGIN) * 1000, abs=400)


def test_a_hanging_database_does_not_exceed_the_timeout(
    server: SiteServer, hanging: Relay
):
    variables = server.variables(hanging.port) | {"LAMBDA_DEADLINE_MARGIN": "3"}
    entry = "tests.aws_lambda.lifecycle.failing.http"
    with ExecutionEnvironment(variables, handler=entry) as environment:
        # Raises FunctionError if Lambda ends the environment.
        result = environment.invoke(event("/slow-query/"), 8)

        assert result["statusCode"] == 504
        hanging.release()
        assert environment.invoke(event("/health/ready"))["statusCode"] == 200
