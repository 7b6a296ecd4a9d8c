"""Log lines, for CloudWatch and for people."""

import json
import logging
import sys
from typing import Any

import pytest

from apps.aws_lambda.context import Invocation, invocation, request_id
from apps.aws_lambda.log import TRACEBACK_LIMIT, JSONFormatter, LineFormatter


def record(message: str, *args: Any, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("a.logger", logging.WARNING, "f", 1, message, args, None)
    vars(made).update(extra)
    return made


def entry(message: str, *args: Any, **extra: Any) -> dict[str, Any]:
    line = JSONFormatter().format(record(message, *args, **extra))
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_line_says_when_how_bad_who_and_what():
    line = entry("Found %s of %s", 1, 2)

    assert line["level"] == "WARNING"
    assert line["logger"] == "a.logger"
    assert line["message"] == "Found 1 of 2"
    assert line["timestamp"].endswith("+00:00")


def test_a_line_carries_the_request_the_trace_and_the_function(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "site-http")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    monkeypatch.setenv(
        "_X_AMZN_TRACE_ID", "Root=1-5e1b4151-5ac6c58f;Parent=53;Sampled=1"
    )
    ids = request_id.set("the-request")
    now = invocation.set(Invocation({}, None, 1))
    try:
        line = entry("x")
    finally:
        invocation.reset(now)
        request_id.reset(ids)

    assert line["request_id"] == "the-request"
    assert line["trace_id"] == "1-5e1b4151-5ac6c58f"
    assert line["function_name"] == "site-http"
    assert line["function_version"] == "7"
    assert line["cold_start"] is True


def test_extras_become_fields():
    line = entry("x", document=7, tags=["a", "b"], owner={"name": "Zoë"})

    assert (line["document"], line["tags"]) == (7, ["a", "b"])
    assert line["owner"] == {"name": "Zoë"}


def test_an_extra_cannot_replace_what_the_line_says_itself():
    assert entry("x", level="INFO", timestamp="never")["level"] == "WARNING"


@pytest.mark.parametrize(
    "key",
    [
        *("password", "db_password", "SECRET_KEY", "Authorization", "set-cookie"),
        *("api_key", "access_token", "sessionid", "csrftoken", "X-Amz-Signature"),
        "credentials",
    ],
)
def test_what_is_called_secret_is_not_written(key: str):
    line = entry("x", **{key: "hunter2", "deep": [{"in": {key: "hunter2"}}]})

    assert "hunter2" not in json.dumps(line)
    assert line[key] == "[redacted]"


def test_what_only_sounds_like_it_is_written():
    assert entry("x", sessions=3, keys=4)["sessions"] == 3


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\x85", "\u2028", "\x1b[2K"])
def test_nothing_can_start_a_line_of_its_own(sign: str):
    text = f"GET /{sign}CRITICAL forged"
    lines = JSONFormatter().format(record("%s", text, path=text)).splitlines()
    plain = LineFormatter("{levelname} {message}", style="{").format(record("%s", text))

    assert len(lines) == 1
    assert json.loads(lines[0])["message"] == text
    assert sign not in plain
    assert len(plain.splitlines()) == 1


def test_an_exception_is_a_field_with_its_type_message_and_traceback():
    try:
        raise LookupError("no such thing")
    except LookupError:
        made = record("It failed")
        made.exc_info = sys.exc_info()

    error = json.loads(JSONFormatter().format(made))["exception"]

    assert error["type"] == "builtins.LookupError"
    assert error["message"] == "no such thing"
    assert 'raise LookupError("no such thing")' in error["traceback"]


def test_a_huge_traceback_is_cut_in_the_middle():
    try:
        raise LookupError("x" * 3 * TRACEBACK_LIMIT)
    except LookupError:
        made = record("It failed")
        made.exc_info = sys.exc_info()

    line = JSONFormatter().format(made)

    assert len(line) < 5 * TRACEBACK_LIMIT
    assert "Traceback (most recent call last)" in line


def test_what_is_no_json_is_written_as_text():
    assert entry("x", where=object)["where"] == "<class 'object'>"


# Metrics


def test_metrics_become_a_line_that_cloudwatch_reads():
    line = entry("x", route="/a/", metrics={"Rows": 12, "Took": (80.5, "Milliseconds")})

    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    about = line["_aws"]
    assert isinstance(about["Timestamp"], int)
    assert about["Timestamp"] > 1_700_000_000_000
    [directive] = about["CloudWatchMetrics"]
    assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
    assert 1 <= len(directive["Namespace"]) <= 256
    assert directive["Dimensions"] == [["FunctionName"], ["FunctionName", "route"]]
    assert directive["Metrics"] == [
        {"Name": "Rows", "Unit": "Count"},
        {"Name": "Took", "Unit": "Milliseconds"},
    ]
    assert (line["Rows"], line["Took"]) == (12, 80.5)
    for names in directive["Dimensions"]:
        assert len(names) <= 30
        assert all(isinstance(line[name], str) and line[name] for name in names)
    assert "metrics" not in line


def test_a_line_without_metrics_is_no_metric():
    assert "_aws" not in entry("x", route="/a/")


def test_the_namespace_can_be_chosen(monkeypatch):
    monkeypatch.setenv("LAMBDA_METRICS_NAMESPACE", "Shop")

    about = entry("x", metrics={"Rows": 1})["_aws"]

    assert about["CloudWatchMetrics"][0]["Namespace"] == "Shop"
