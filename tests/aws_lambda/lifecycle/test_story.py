"""One request, told by its response, its log line, its metric and its trace."""

import json
from typing import Any

from local.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.lifecycle.test_tracing import SAMPLED, Daemon
from tests.events import load_event


def test_one_request_id_is_in_the_response_the_log_the_metric_and_the_trace(
    server: SiteServer,
):
    daemon = Daemon()
    variables = server.variables(server.postgresql.port) | {
        "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
        "LAMBDA_TRACING": "true",
        "LOG_LEVEL": "INFO",
    }
    event = load_event("http_default", rawPath="/health/ready")
    event["requestContext"]["requestId"] = "the-one"

    with ExecutionEnvironment(variables) as environment:
        environment.api.trace = SAMPLED
        result = environment.invoke(event)
        log = environment.log

    assert result["statusCode"] == 200
    assert result["headers"]["x-request-id"] == "the-one"

    lines: list[dict[str, Any]] = [
        json.loads(line) for line in log.splitlines() if line.startswith("{")
    ]
    [access] = [line for line in lines if line.get("request_id") == "the-one"]
    assert access["route"] == "/health/ready"
    assert access["queries"] == 1
    assert access["queries_ms"] > 0
    assert access["trace_id"] in SAMPLED

    # The same line is the metric.
    [metrics] = access["_aws"]["CloudWatchMetrics"]
    names = {metric["Name"] for metric in metrics["Metrics"]}
    assert {"Requests", "Duration", "DatabaseTime", "ColdStarts"} <= names
    assert access["Requests"] == access["ColdStarts"] == 1

    *queries, request = daemon.segments()
    daemon.socket.close()
    assert "the-one" in json.dumps(request["annotations"])
    assert request["trace_id"] == access["trace_id"]
    assert len(queries) == 1
