"""Log lines, as JSON and as text, and the metrics in them."""

import json
import logging
import re
import sys
import time
from datetime import datetime
from itertools import chain
from typing import Any

import hypothesis
import jsonschema
import pytest
from hypothesis import strategies as st

from apps.aws_lambda.invocation import Invocation, invocation, request_id, task_id
from apps.aws_lambda.observability.formatters import (
    TEXT_LIMIT,
    JSONFormatter,
    LineFormatter,
)
from apps.aws_lambda.observability.metrics import UNITS


def record(message: str, *args: Any, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("a.logger", logging.WARNING, "f", 1, message, args, None)
    vars(made).update(extra)
    return made


def entry(message: str, *args: Any, **extra: Any) -> dict[str, Any]:
    line = JSONFormatter().format(record(message, *args, **extra))
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_line_has_timestamp_level_logger_and_message():
    line = entry("Found %s of %s", 1, 2)

    assert line["level"] == "WARN"
    assert line["logger"] == "a.logger"
    assert line["message"] == "Found 1 of 2"
    assert line["timestamp"].endswith("+00:00")


def test_a_line_has_the_request_the_trace_and_the_function(monkeypatch):
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


def test_extra_does_not_replace_standard_fields():
    assert entry("x", level="INFO", timestamp="never")["level"] == "WARN"


@pytest.mark.parametrize(
    "key",
    [
        *("password", "db_password", "SECRET_KEY", "Authorization", "set-cookie"),
        *("api_key", "access_token", "sessionid", "csrftoken", "X-Amz-Signature"),
        *("credentials", "x-api-key", "apiKey", "session-id", "sessionId", "pwd"),
        *("DATABASE_URL", "databaseUrl", "db-uri", "cache_url", "SENTRY_DSN", "auth"),
        *("private-key", "aws_access_key_id", "proxy.pass", "connection string"),
        *("dbPass", "sentryDsn", "POSTGRESQL_URL", "sshKey", "license_key"),
        *("ssh__key", "Licence key", "BROKER.URI", "connectionString", "X-OTP"),
    ],
)
def test_a_secret_is_redacted(key: str):
    line = entry("x", **{key: "hunter2", "deep": [{"in": {key: "hunter2"}}]})

    assert "hunter2" not in json.dumps(line)
    assert line[key] == "[redacted]"


def test_a_value_that_contains_itself_many_times_is_written_in_part():
    node: dict[str, Any] = {}
    node["children"] = [{"parent": node} for _ in range(90)]

    line = entry("x", node=node, wide=["y"] * 100_000)

    assert line["node"]["children"][0]["parent"]["children"]
    assert line["wide"][-2:] == ["y", "..."]
    assert len(json.dumps(line)) < 50_000


def test_a_name_that_only_resembles_a_secret_is_written():
    names = ("sessions", "keys", "author", "bypass", "storage_key", "url", "tokyo")

    line = entry("x", **dict.fromkeys(names, 3))

    assert {name: line[name] for name in names} == dict.fromkeys(names, 3)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        *((logging.CRITICAL, "FATAL"), (60, "FATAL"), (logging.ERROR, "ERROR")),
        *(
            (35, "WARN"),
            (logging.WARNING, "WARN"),
            (25, "INFO"),
            (logging.INFO, "INFO"),
        ),
        *((logging.DEBUG, "DEBUG"), (5, "TRACE"), (0, "TRACE")),
    ],
)
def test_each_level_has_a_name_that_lambda_knows(number: int, name: str):
    made = record("x")
    made.levelno, made.levelname = number, logging.getLevelName(number)

    assert json.loads(JSONFormatter().format(made))["level"] == name


@pytest.mark.parametrize("identifier", [request_id, task_id])
@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("half \ud800", "half \\ud800"),
        ("x" * 100_000, "x" * 200),
        ("1\nERROR forged", "1\nERROR forged"),
    ],
)
def test_an_id_is_cleaned_and_cut(identifier: Any, value: str, written: str):
    token = identifier.set(value)
    try:
        line = JSONFormatter().format(record("x"))
        plain = LineFormatter("{request_id} {message}", style="{").format(record("x"))
    finally:
        identifier.reset(token)

    [line] = line.encode().decode().splitlines()
    assert json.loads(line)[identifier.name] == written
    [plain] = plain.encode().decode().splitlines()
    assert len(plain) < 300


def test_a_traceback_that_utf_8_cannot_encode_is_written_as_text():
    try:
        raise LookupError("half \ud800")
    except LookupError:
        made = record("It failed")
        made.exc_info = sys.exc_info()

    assert "half \\ud800" in LineFormatter().format(made).encode().decode()


@pytest.mark.parametrize("sign", ["\n", "\r\n", "\x85", "\u2028", "\x1b[2K"])
def test_a_value_cannot_start_a_new_line(sign: str):
    text = f"GET /{sign}CRITICAL forged"
    lines = JSONFormatter().format(record("%s", text, path=text)).splitlines()
    plain = LineFormatter("{levelname} {message}", style="{").format(record("%s", text))

    assert len(lines) == 1
    assert json.loads(lines[0])["message"] == text
    assert sign not in plain
    assert len(plain.splitlines()) == 1


def test_an_exception_has_type_message_and_traceback():
    try:
        raise LookupError("no such thing")
    except LookupError:
        made = record("It failed")
        made.exc_info = sys.exc_info()

    error = json.loads(JSONFormatter().format(made))["exception"]

    assert error["type"] == "builtins.LookupError"
    assert error["message"] == "no such thing"
    assert 'raise LookupError("no such thing")' in error["traceback"]


def test_a_long_traceback_is_cut_in_the_middle():
    try:
        raise LookupError("x" * 3 * TEXT_LIMIT)
    except LookupError:
        made = record("It failed")
        made.exc_info = sys.exc_info()

    line = JSONFormatter().format(made)

    assert len(line) < 5 * TEXT_LIMIT
    assert "Traceback (most recent call last)" in line


def test_a_value_that_is_not_json_is_written_as_text():
    assert entry("x", where=object)["where"] == "<class 'object'>"


class Unreadable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


loop: list[Any] = []
loop.append(loop)


@pytest.mark.parametrize(
    "value",
    [
        *(Unreadable(), loop, float("nan"), float("inf"), b"\xff", {1, 2}, 10**5000),
        *("\udc80", {"\udc80": "\udc80"}, {Unreadable(): 1}, {(1, 2): object()}),
        *("x" * 10**7, [float("nan")], datetime.now, Unreadable),
    ],
    ids=lambda value: type(value).__name__,
)
def test_any_value_can_be_logged(value: Any):
    line = JSONFormatter().format(record("%s happened", "it", what=value))

    # Strict: JSON has no NaN, and UTF-8 cannot encode half of a surrogate pair.
    parsed = json.loads(line.encode(), parse_constant=pytest.fail)
    assert parsed["message"] == "it happened"
    assert "what" in parsed
    assert len(line) < 2 * TEXT_LIMIT


@pytest.mark.parametrize(
    ("message", "args"),
    [
        *(("%s and %s", (1,)), ("%d", ("x",)), ("%s", (Unreadable(),))),
        *((Unreadable(), ()), ("\udc80", ())),
    ],
)
def test_a_message_with_wrong_arguments_is_written(message: Any, args: Any):
    line = JSONFormatter().format(record(message, *args, document=7))

    assert json.loads(line.encode())["document"] == 7


def test_an_exception_without_a_message_is_written():
    try:
        raise UnreadableError
    except UnreadableError:
        made = record("It failed")
        made.exc_info = sys.exc_info()

    error = json.loads(JSONFormatter().format(made))["exception"]

    assert error["type"].endswith("UnreadableError")
    assert error["message"] == "[unreadable UnreadableError]"


def test_a_line_without_an_exception_has_no_field():
    made = record("x")
    made.exc_info = (None, None, None)

    assert "exception" not in json.loads(JSONFormatter().format(made))


def test_the_stack_is_a_field():
    made = record("x")
    made.stack_info = "Stack (most recent call last):\n  somewhere"

    assert "somewhere" in json.loads(JSONFormatter().format(made))["stack"]


def test_a_deeply_nested_secret_is_not_written():
    deep: dict[str, Any] = {"password": "hunter2"}
    for _ in range(50):
        deep = {"in": [deep]}

    assert "hunter2" not in json.dumps(entry("x", deep=deep))


# Metrics

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
# and, for the limits of CloudWatch, API_MetricDatum.html and API_Dimension.html.
NAMES: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 250}
NUMBER: dict[str, Any] = {
    "type": "number",
    "minimum": -(2.0**360),
    "maximum": 2.0**360,
}
DIRECTIVE: dict[str, Any] = {
    "type": "object",
    "required": ["Namespace", "Dimensions", "Metrics"],
    "additionalProperties": False,
    "properties": {
        "Namespace": {"type": "string", "pattern": r"^[A-Za-z0-9._/#-]{1,255}$"},
        "Dimensions": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "array", "minItems": 1, "maxItems": 30, "items": NAMES},
        },
        "Metrics": {
            "type": "array",
            "minItems": 1,
            "maxItems": 100,
            "items": {
                "type": "object",
                "required": ["Name", "Unit"],
                "additionalProperties": False,
                "properties": {
                    "Name": {"type": "string", "pattern": r"^[ -~]{1,255}$"},
                    "Unit": {"enum": sorted(UNITS)},
                },
            },
        },
    },
}
EMBEDDED: dict[str, Any] = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer", "minimum": 1_700_000_000_000},
                "CloudWatchMetrics": {"type": "array", "items": DIRECTIVE},
            },
        }
    },
}
VALUE = {"anyOf": [NUMBER, {"type": "array", "maxItems": 100, "items": NUMBER}]}


def assert_valid(line: dict[str, Any]) -> None:
    """Fail if CloudWatch would reject a metric of the line."""
    jsonschema.validate(line, EMBEDDED)
    # At most two weeks old, and at most two hours in the future.
    age = time.time() - line["_aws"]["Timestamp"] / 1000
    assert -7200 < age < 14 * 24 * 3600
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for metric in directive["Metrics"]:
            jsonschema.validate(line[metric["Name"]], VALUE)
        for name in chain.from_iterable(directive["Dimensions"]):
            assert re.fullmatch(r"[\x00-\x7f]{1,1024}", line[name])
            assert line[name].strip()


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = anything | st.lists(st.floats()) | st.tuples(anything, anything)


@hypothesis.given(
    st.dictionaries(
        st.text() | st.integers() | st.sampled_from(["message", "_aws", "route"]),
        values | st.tuples(st.floats() | st.integers(), st.sampled_from(sorted(UNITS))),
    )
    | anything,
    st.text(),
)
def test_any_metrics_make_a_valid_line(measured: Any, route: str):
    made = record("It happened", route=route, metrics=measured)
    made.created = time.time()

    line = json.loads(JSONFormatter().format(made).encode(), parse_constant=pytest.fail)

    assert line["message"] == "It happened"
    assert line["level"] == "WARN"
    if "_aws" in line:
        assert_valid(line)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Rows", float("nan")), ("Rows", "12"), ("Rows", True), ("Rows", None)),
        *(("Rows", [1.0] * 101), ("Rows", []), ("Rows", (1, "Minutes"))),
        *(("message", 1), ("level", 1), ("FunctionName", 1), ("_aws", 1)),
        *(("", 1), ("x" * 256, 1), ("Größe", 1), (7, 1), ("a\nb", 1)),
    ],
)
def test_an_invalid_metric_is_left_out(name: Any, value: Any):
    line = entry("x", metrics={name: value, "Good": 1})

    assert line["message"] == "x"
    assert line["refused_metrics"] == [str(name)[:255]]
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Metrics"] == [{"Name": "Good", "Unit": "Count"}]
    assert_valid(line)


def test_metrics_over_the_limit_are_left_out():
    line = entry("x", metrics={f"M{number}": number for number in range(103)})

    assert_valid(line)
    assert line["refused_metrics"] == ["M100", "M101", "M102"]


def test_a_metric_can_have_several_values():
    line = entry("x", metrics={"Took": ([1, 2.5], "Seconds")})

    assert_valid(line)
    assert line["Took"] == [1, 2.5]


def test_a_dimension_that_is_not_ascii_is_escaped():
    line = entry("x", route="/größe/<int:pk>/", metrics={"Rows": 1})

    assert_valid(line)
    assert line["route"] == r"/gr\xf6\xdfe/<int:pk>/"


def test_metrics_have_the_embedded_metric_format():
    line = entry("x", route="/a/", metrics={"Rows": 12, "Took": (80.5, "Milliseconds")})

    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    embedded = line["_aws"]
    assert isinstance(embedded["Timestamp"], int)
    assert embedded["Timestamp"] > 1_700_000_000_000
    [directive] = embedded["CloudWatchMetrics"]
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


def test_requests_and_their_errors_are_counted_for_the_version_too(
    monkeypatch: pytest.MonkeyPatch,
):
    """A canary is judged by its own."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "12")

    line = entry("x", metrics={"Requests": 1, "Errors": 0, "Duration": 8})

    assert_valid(line)
    of_function, of_version = line["_aws"]["CloudWatchMetrics"]
    assert of_function["Dimensions"] == [["FunctionName"]]
    assert of_version["Dimensions"] == [["FunctionName", "function_version"]]
    assert of_version["Namespace"] == of_function["Namespace"]
    assert [metric["Name"] for metric in of_version["Metrics"]] == [
        "Requests",
        "Errors",
    ]
    assert line["function_version"] == "12"


def test_other_metrics_are_not_counted_for_the_version(
    monkeypatch: pytest.MonkeyPatch,
):
    """CloudWatch bills each of them."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "12")

    line = entry("x", metrics={"Rows": 1})

    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["FunctionName"]]


def test_a_line_without_metrics_is_not_a_metric():
    assert "_aws" not in entry("x", route="/a/")


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["route", "task"]),
        ({"metrics_dimensions": []}, []),
        ({"metrics_dimensions": ["task"]}, ["task"]),
        ({"metrics_dimensions": ["command", "task"]}, ["task"]),
        ({"metrics_dimensions": ["route", "task", "command"]}, ["route", "task"]),
    ],
)
def test_the_dimensions_can_be_configured(options, names):
    made = record("x", route="/a/", task="mail.send", metrics={"Rows": 1})

    line = json.loads(JSONFormatter(**options).format(made))

    assert_valid(line)
    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [
        ["FunctionName"],
        *(["FunctionName", name] for name in names),
    ]
    # The fields can be queried without the dimensions.
    assert (line["route"], line["task"]) == ("/a/", "mail.send")


def test_the_namespace_can_be_configured():
    made = record("x", metrics={"Rows": 1})

    line = json.loads(JSONFormatter(metrics_namespace="Shop").format(made))

    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Shop"


def test_a_line_outside_of_lambda_has_no_metric_of_a_version(monkeypatch):
    monkeypatch.delenv("AWS_LAMBDA_FUNCTION_VERSION", raising=False)

    line = entry("x", metrics={"Requests": 1})

    [directive] = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["FunctionName"]]


def test_a_field_cannot_take_the_place_of_the_directive():
    text = JSONFormatter().format(record("x", metrics={"Rows": 1}, _aws="mine"))

    assert text.count('"_aws"') == 1
    assert json.loads(text)["_aws"]["CloudWatchMetrics"]
