"""Log lines on Lambda, for each of its log formats and levels."""

import json

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.lifecycle.conftest import json_lines
from tests.events import load_event

READY = load_event("http_default", rawPath="/health/ready")


@pytest.mark.parametrize("log_format", ["JSON", "Text"])
def test_each_record_is_one_json_line(server: SiteServer, log_format: str):
    variables = server.variables(server.postgresql.port)
    del variables["LOG_LEVEL"]
    lambdas = {"AWS_LAMBDA_LOG_FORMAT": log_format, "AWS_LAMBDA_LOG_LEVEL": "INFO"}
    nowhere = load_event("http_default", rawPath='/nowhere"}\n{"level": "FATAL"}')
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
    # No JSON within JSON, and no line that the client has written.
    assert not any(entry["message"].startswith("{") for entry in entries)
    assert not any(entry["level"] == "FATAL" for entry in json_lines(log))
    assert not any(entry.get("request_id") == "forged" for entry in json_lines(log))


@pytest.mark.parametrize(
    ("variables", "levels"),
    [
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO"}, {"INFO", "WARN"}),
        ({"AWS_LAMBDA_LOG_LEVEL": "WARN"}, {"WARN"}),
        ({"AWS_LAMBDA_LOG_LEVEL": "FATAL"}, set()),
        ({"AWS_LAMBDA_LOG_LEVEL": "INFO", "LOG_LEVEL": "ERROR"}, set()),
    ],
)
def test_log_level_takes_precedence_over_lambdas_level(
    server: SiteServer, variables: dict[str, str], levels: set[str]
):
    rest = server.variables(server.postgresql.port) | {"LOG_LEVEL": ""}
    json_format = {"AWS_LAMBDA_LOG_FORMAT": "JSON"}

    with ExecutionEnvironment(rest | json_format | variables) as environment:
        environment.invoke(load_event("http_default", rawPath="/nowhere"))
        log = environment.log

    assert {entry["level"] for entry in json_lines(log)} == levels
