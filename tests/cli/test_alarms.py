"""Each alarm is in ALARM when it must, and only then; its metrics exist."""

import json
import logging
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.observability.formatters import JSONFormatter
from tests.cli import template
from tests.cli.cloudformation import plain
from tests.cli.cloudwatch import Series, state
from tests.cli.template import Template
from tests.names import SERVICE

NAMESPACE = "DjangoOnLambda"
Data = dict[str, Series]
# No data point.
NA = None
NOTHING = [NA, NA, NA, NA, NA]


class Cases(NamedTuple):
    """Data points of the last five periods, by the ID or the name of their metric."""

    alarm: list[Data]
    ok: list[Data]


def any_one_of(metric: str) -> Cases:
    return Cases(
        alarm=[{metric: [0, 0, 0, 0, 1]}, {metric: [NA, NA, NA, NA, 7]}],
        ok=[{metric: [0, 0, 0, 0, 0]}, {metric: [1, 0, 0, 0, 0]}],
    )


CASES = {
    "HttpErrorsAlarm": any_one_of("Errors"),
    "ServerErrorsAlarm": Cases(
        alarm=[
            {"errors": [0, 0, 0, 3, 3], "requests": [100, 100, 100, 100, 100]},
            {"errors": [NA, NA, 30, NA, 30], "requests": [NA, NA, 30, 30, 30]},
        ],
        ok=[
            {"errors": [0, 0, 0, 0, 90], "requests": [100, 100, 100, 100, 100]},
            {"errors": [1, 1, 1, 1, 1], "requests": [100, 100, 100, 100, 100]},
            # Few requests.
            {"errors": [1, 1, 1, 1, 1], "requests": [20, 20, 20, 20, 20]},
        ],
    ),
    # Of the new version alone.
    "CanaryErrorsAlarm": any_one_of("Errors"),
    "CanaryServerErrorsAlarm": Cases(
        alarm=[
            # A tenth of few requests.
            {"errors": [NA, NA, NA, NA, 2], "requests": [NA, NA, NA, NA, 2]},
            {"errors": [0, 0, 0, 0, 5], "requests": [50, 50, 50, 50, 200]},
        ],
        ok=[
            {"errors": [NA, NA, NA, NA, 1], "requests": [NA, NA, NA, NA, 1]},
            {"errors": [0, 0, 0, 0, 4], "requests": [50, 50, 50, 50, 200]},
            {"errors": [9, 0, 0, 0, 0], "requests": [9, 9, 9, 9, 9]},
            {"errors": NOTHING, "requests": NOTHING},
        ],
    ),
    "ThrottlesAlarm": any_one_of("Throttles"),
    "SlowAlarm": Cases(
        alarm=[{"Duration": [200, 200, 200, 5001, 9000]}],
        ok=[
            {"Duration": [5000, 5000, 5000, 5000, 5000]},
            {"Duration": [200, 200, 200, 200, 9000]},
        ],
    ),
    # 20 environments, or the quota of the account.
    "ConcurrencyAlarm": Cases(
        alarm=[{"used": [0, 0, 17, 17, 17], "account": [0, 0, 801, 801, 801]}],
        ok=[
            {"used": [16, 16, 16, 16, 16], "account": [800, 800, 800, 800, 800]},
            {"used": [0, 0, 0, 20, 20], "account": [0, 0, 0, 1000, 1000]},
        ],
    ),
    "GatewayErrorsAlarm": Cases(
        alarm=[
            # The function may not be invoked.
            {
                "answered": [NA, NA, NA, 5, 5],
                "site": NOTHING,
                "requests": [NA, NA, NA, 5, 5],
            },
            # Timeouts between errors of the site.
            {
                "answered": [0, 0, 0, 12, 12],
                "site": [0, 0, 0, 5, 5],
                "requests": [100, 100, 100, 100, 100],
            },
        ],
        ok=[
            # The site's own errors.
            {
                "answered": [0, 50, 50, 50, 50],
                "site": [NA, 50, 50, 50, 50],
                "requests": [100, 100, 100, 100, 100],
            },
            # The same, counted a little later by the site.
            {
                "answered": [40, 40, 41, 40, 42],
                "site": [40, 40, 40, 41, 41],
                "requests": [400, 400, 400, 400, 400],
            },
            # The site's latest minute is not known yet.
            {
                "answered": [30, 30, 30, 30, 30],
                "site": [30, 30, 30, 30, NA],
                "requests": [300, 300, 300, 300, 300],
            },
            # A single failure.
            {
                "answered": [0, 0, 0, 0, 1],
                "site": NOTHING,
                "requests": [9, 9, 9, 9, 9],
            },
        ],
    ),
    "GatewayRefusalsAlarm": Cases(
        alarm=[
            {
                "refused": [0, 0, 0, 203, 203],
                "site": [0, 0, 0, 3, 3],
                "requests": [1000, 1000, 1000, 1000, 1000],
            },
        ],
        ok=[
            # Pages that do not exist.
            {
                "refused": [50, 50, 50, 50, 50],
                "site": [50, 50, 50, 50, 50],
                "requests": [1000, 1000, 1000, 1000, 1000],
            },
            # A scanner, and no visitor.
            {
                "refused": [5, 5, 5, 5, 5],
                "site": NOTHING,
                "requests": [20, 20, 20, 20, 20],
            },
            # One full minute.
            {
                "refused": [0, 0, 0, 0, 900],
                "site": NOTHING,
                "requests": [1000, 1000, 1000, 1000, 1000],
            },
        ],
    ),
    "InitFailuresAlarm": any_one_of(f"InitFailures-{SERVICE}-prod"),
    "ScheduleErrorsAlarm": any_one_of("Errors"),
    "SchedulesDroppedAlarm": any_one_of("InvocationDroppedCount"),
    "ManageErrorsAlarm": any_one_of("Errors"),
    "TasksErrorsAlarm": any_one_of("Errors"),
    "DeadLettersAlarm": any_one_of("ApproximateNumberOfMessagesVisible"),
    "QueueAgeAlarm": Cases(
        alarm=[{"ApproximateAgeOfOldestMessage": [2500, 2800, 3100, 3400, 3700]}],
        ok=[
            {"ApproximateAgeOfOldestMessage": [0, 0, 0, 0, 0]},
            # All attempts at a task whose function crashes.
            {"ApproximateAgeOfOldestMessage": [2400, 2700, 3000, 3300, 3600]},
        ],
    ),
}


def with_event_source(name: str) -> Template:
    return template.package("prod", (("eventSource", name),))


def made() -> list[Template]:
    """Return the templates of each event source, with alarms."""
    return [
        with_event_source("http-api"),
        with_event_source("function-url"),
        template.everything(),
    ]


def alarms() -> list[tuple[str, dict[str, Any]]]:
    """Return the logical ID and the properties of each alarm of each template."""
    return [
        (name, alarm["Properties"])
        for each in made()
        for name, alarm in each.of_type("CloudWatch::Alarm").items()
    ]


def test_each_alarm_has_data_that_breaches_and_data_that_does_not():
    names = {name for name, _ in alarms()}

    assert names == set(CASES)
    assert all(cases.alarm and cases.ok for cases in CASES.values())
    # Those of any event source are the same.
    for each in made():
        assert set(each.of_type("CloudWatch::Alarm")) == names


@pytest.mark.parametrize("name", CASES)
def test_an_alarm_is_raised(name: str):
    for properties in [alarm for other, alarm in alarms() if other == name]:
        for data in CASES[name].alarm:
            assert state(properties, data) == "ALARM", (properties, data)


@pytest.mark.parametrize("name", CASES)
def test_an_alarm_is_not_raised(name: str):
    for properties in [alarm for other, alarm in alarms() if other == name]:
        nothing: Data = dict.fromkeys(CASES[name].alarm[0], NOTHING)
        for data in [*CASES[name].ok, nothing]:
            assert state(properties, data) == "OK", (properties, data)


def test_every_alarm_notifies_the_topic():
    for _name, alarm in alarms():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]


def test_every_alarm_names_the_table_with_what_to_do():
    for name, alarm in alarms():
        canary = name.startswith("Canary")
        table = "deploy-reference.md#canary" if canary else "operate.md#alarms"
        assert alarm["AlarmDescription"].endswith(f". docs/{table}")


# The metrics

# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
# https://docs.aws.amazon.com/lambda/latest/dg/urls-monitoring.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html
# https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/scheduler/latest/UserGuide/monitoring-cloudwatch.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
DOCUMENTED = {
    ("AWS/Lambda", "FunctionName"): {
        *("ConcurrentExecutions", "Duration", "Errors", "Throttles"),
        *("UrlRequestCount", "Url4xxCount", "Url5xxCount"),
    },
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-view.html
    ("AWS/Lambda", "FunctionName", "Resource", "ExecutedVersion"): {"Errors"},
    ("AWS/ApiGateway", "ApiId"): {"Count", "4xx", "5xx"},
    ("AWS/ApiGateway", "ApiName"): {"Count", "4XXError", "5XXError"},
    ("AWS/SQS", "QueueName"): {
        *("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"),
    },
    ("AWS/Scheduler", "ScheduleGroup"): {"InvocationDroppedCount"},
    ("AWS/Usage", "Class", "Resource", "Service", "Type"): {"ResourceCount"},
}


def metrics(alarm: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the namespace with the dimensions, and the name of each metric."""
    parts = alarm.get("Metrics", [{"MetricStat": {"Metric": alarm}}])
    for metric in [p["MetricStat"]["Metric"] for p in parts if "MetricStat" in p]:
        dimensions = [dimension["Name"] for dimension in metric.get("Dimensions", ())]
        yield (metric["Namespace"], *dimensions), metric["MetricName"]


def test_alarms_and_dashboard_use_metrics_that_exist():
    code = "".join(
        path.read_text() for path in (ROOT / "apps" / "aws_lambda").rglob("*.py")
    )
    used = {metric for _name, alarm in alarms() for metric in metrics(alarm)}
    used |= {metric for each in made() for metric in metrics_of_dashboard(each)}
    ours = {name for place, name in used if place[0] == NAMESPACE}

    # From filters of the logs.
    ours.remove(f"InitFailures-{SERVICE}-prod")
    assert {"Requests", "Errors", "TaskFailed"} <= ours
    assert [name for name in ours if f'"{name}"' not in code] == []
    for place, name in used:
        assert place[0] == NAMESPACE or name in DOCUMENTED[place]


def metrics_of_dashboard(each: Template) -> Iterator[tuple[tuple[str, ...], str]]:
    body = json.loads(plain(each.properties("Dashboard")["DashboardBody"]))
    for widget in body["widgets"]:
        above: list[Any] = []
        for line in widget["properties"].get("metrics", ()):
            fields = [field for field in line if not isinstance(field, dict)]
            if not fields:
                continue  # an expression
            # [namespace, name, dimension, value ...]; "." repeats the field above, and
            # "..." all that are not given.
            if fields[0] == "...":
                fields = above[: len(above) - len(fields) + 1] + fields[1:]
            fields = [above[i] if f == "." else f for i, f in enumerate(fields)]
            above = fields
            yield (fields[0], *fields[2::2]), fields[1]


def test_the_gateway_of_the_alarms_is_the_one_that_is_deployed():
    for each in made():
        [dimension] = [
            metric["MetricStat"]["Metric"]["Dimensions"][0]
            for metric in each.properties("GatewayErrorsAlarm")["Metrics"]
            if metric["Id"] == "answered"
        ]
        match dimension["Name"]:
            case "ApiId":
                [api] = each.of_type("ApiGatewayV2::Api")
                assert dimension["Value"] == {"Ref": api}
            case "ApiName":
                [rest_api] = each.of_type("ApiGateway::RestApi").values()
                assert dimension["Value"] == rest_api["Properties"]["Name"]
            case "FunctionName":
                [url] = each.of_type("Lambda::Url").values()
                assert plain(url["Properties"]["TargetFunctionArn"]).startswith(
                    plain({"Fn::GetAtt": [dimension["Value"]["Ref"], "Arn"]})
                )


def test_streams_are_not_slow_requests():
    """They have no metric of this name (tests/aws_lambda/runtime/test_streaming.py)."""
    for each in made():
        alarm = each.properties("SlowAlarm")
        assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, "Duration")


def test_every_schedule_is_in_the_watched_group():
    for each in made():
        [group] = each.of_type("Scheduler::ScheduleGroup")
        schedules = each.of_type("Scheduler::Schedule").values()
        assert schedules
        for schedule in schedules:
            assert schedule["Properties"]["GroupName"] == {"Ref": group}
        [dimension] = each.properties("SchedulesDroppedAlarm")["Dimensions"]
        assert dimension["Value"] == {"Ref": group}


def test_the_queue_is_reported_after_all_attempts_and_before_messages_are_lost():
    for each in made():
        queue = each.properties("TaskQueue")
        alarm = each.properties("QueueAgeAlarm")
        attempts = queue["RedrivePolicy"]["maxReceiveCount"]
        assert attempts * queue["VisibilityTimeout"] <= alarm["Threshold"]
        # Days to react.
        assert alarm["Threshold"] <= queue["MessageRetentionPeriod"] - 3 * 24 * 3600
        [dimension] = alarm["Dimensions"]
        assert dimension["Value"] == {"Fn::GetAtt": ["TaskQueue", "QueueName"]}


def test_errors_of_each_function_are_watched():
    for each in made():
        watched = {
            alarm["Properties"]["Dimensions"][0]["Value"]["Ref"]
            for alarm in each.of_type("CloudWatch::Alarm").values()
            # Not those of a version.
            if len(alarm["Properties"].get("Dimensions", ())) == 1
            if alarm["Properties"]["Namespace"] == "AWS/Lambda"
            if alarm["Properties"]["MetricName"] == "Errors"
        }
        assert watched == set(each.of_type("Lambda::Function"))


def test_a_line_of_level_fatal_in_any_function_is_counted():
    record = logging.LogRecord("x", logging.CRITICAL, "", 1, "No init", (), None)
    line = json.loads(JSONFormatter().format(record))
    for each in made():
        filters = each.of_type("Logs::MetricFilter").values()
        alarm = each.properties("InitFailuresAlarm")
        groups = []
        for properties in [found["Properties"] for found in filters]:
            pattern = re.fullmatch(
                r'\{ \$\.(\w+) = "(\w+)" \}', properties["FilterPattern"]
            )
            assert pattern
            assert line[pattern[1]] == pattern[2]
            [counted] = properties["MetricTransformations"]
            assert counted["MetricName"] == alarm["MetricName"]
            assert counted["MetricNamespace"] == alarm["Namespace"]
            groups.append(properties["LogGroupName"]["Ref"])
        functions = each.of_type("Lambda::Function")
        assert sorted(groups) == sorted(
            name.replace("LambdaFunction", "LogGroup") for name in functions
        )
