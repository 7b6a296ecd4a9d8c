"""What has happened on a stage in the last day: its errors and its cold starts."""

import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ..release.progress import Versions
from ..release.stage import Stage
from .account import Deployed
from .line import OK, PROBLEM, Line

# FilterLogEvents returns the oldest lines first, and a busy log has many pages.
LOG_SECONDS = 10.0
# Newest first: what happened in the last hour is the more interesting.
LOG_WINDOWS = {"hour": 3600, "24 hours": 24 * 3600}
# Lines of the site, of the runtime client, and Lambda's reports of what it ended.
# https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
LOG_PATTERN = (
    '{ $.level = "ERROR" || $.level = "FATAL" || $.record.status = "error" '
    '|| $.record.status = "failure" || $.record.status = "timeout" }'
)
LEVELS = ("ERROR", "FATAL")
STATUSES = ("error", "failure", "timeout")
MESSAGE_LIMIT = 120
METRICS_NAMESPACE = "DjangoOnLambda"
# Lambda ends an init phase after 10 seconds, and repeats it inside the invocation.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
INIT_LIMIT_MS = 8000


def errors(stage: Stage, live: Versions) -> Line:
    """Return the last errors in the logs of all functions."""
    for window, seconds in LOG_WINDOWS.items():
        found: list[tuple[int, str, dict[str, Any]]] = []
        complete = True
        for name in live:
            lines, all_read = error_lines(stage, name, seconds)
            found += [(when, name, entry) for when, entry in lines]
            complete = complete and all_read
        if found:
            return error_line(stage, window, found, complete)
        if not complete:
            return Line(
                "errors",
                PROBLEM,
                f"none in the part of the log of the last {window} that could be read "
                f"in {LOG_SECONDS:g} seconds",
                "run the query for errors in docs/operate.md#queries",
            )
    return Line("errors", OK, "none in the logs of the last 24 hours")


def error_lines(
    stage: Stage, name: str, seconds: int
) -> tuple[list[tuple[int, dict[str, Any]]], bool]:
    """
    Return the time and the fields of each error, and whether all pages were read.

    Times are in milliseconds since 1970.
    """
    deadline = time.monotonic() + LOG_SECONDS
    parameters: dict[str, Any] = {
        "logGroupName": f"/aws/lambda/{stage.functions[name]}",
        "startTime": int((time.time() - seconds) * 1000),
        "filterPattern": LOG_PATTERN,
    }
    found: list[tuple[int, dict[str, Any]]] = []
    while True:
        page = stage.call("logs", "filter_log_events", **parameters)
        for event in page["events"]:
            if entry := error_entry(event["message"]):
                found.append((event["timestamp"], entry))
        if not page.get("nextToken"):
            return found, True
        if time.monotonic() > deadline:
            return found, False
        parameters["nextToken"] = page["nextToken"]


def error_entry(text: str) -> dict[str, Any] | None:
    """Return the fields of a log line that is an error, otherwise None."""
    try:
        entry = json.loads(text)
    except ValueError:
        return None
    if not isinstance(entry, dict):
        return None
    record = entry.get("record")
    status = record.get("status") if isinstance(record, dict) else None
    return entry if entry.get("level") in LEVELS or status in STATUSES else None


def error_line(
    stage: Stage,
    window: str,
    found: list[tuple[int, str, dict[str, Any]]],
    complete: bool,
) -> Line:
    when, name, entry = max(found, key=lambda one: one[0])
    record = entry.get("record", {})
    identity = entry.get("request_id") or entry.get("requestId")
    identity = str(identity or record.get("requestId") or "")
    message = entry.get("message") or f"Lambda reports {record.get('status')}"
    message = " ".join(str(message).split())[:MESSAGE_LIMIT]
    moment = datetime.fromtimestamp(when / 1000, UTC)
    # Copied into a shell: a client may have chosen the ID.
    safe = re.fullmatch(r"[\w=+/-]{1,200}", identity, re.ASCII)
    term = identity if safe else str(entry.get("level") or record.get("status"))
    count = f"{'' if complete else 'at least '}{len(found)} in the last {window}"
    return Line(
        "errors",
        PROBLEM,
        f"{count}, the latest at {moment:%Y-%m-%d %H:%M:%S} UTC in {name}: {message}",
        f"aws logs tail /aws/lambda/{stage.functions[name]} --since 24h "
        f"--filter-pattern '\"{term}\"' --region {stage.region}",
    )


def cold_starts(stage: Stage, functions: Mapping[str, Deployed]) -> Line:
    """Return how often and for how long the web function was initialised."""
    http = functions["http"]
    namespace = http.variables.get("LAMBDA_METRICS_NAMESPACE") or METRICS_NAMESPACE
    now = datetime.now(UTC)
    asked = {
        "starts": (namespace, "InitDuration", "SampleCount"),
        "total": (namespace, "InitDuration", "Sum"),
        "longest": (namespace, "InitDuration", "Maximum"),
        "invocations": ("AWS/Lambda", "Invocations", "Sum"),
    }
    answer = stage.call(
        "cloudwatch",
        "get_metric_data",
        StartTime=now - timedelta(days=1),
        EndTime=now,
        MetricDataQueries=[
            {
                "Id": identity,
                "MetricStat": {
                    "Metric": {
                        "Namespace": space,
                        "MetricName": metric,
                        "Dimensions": [{"Name": "FunctionName", "Value": http.name}],
                    },
                    "Period": 3600,
                    "Stat": statistic,
                },
            }
            for identity, (space, metric, statistic) in asked.items()
        ],
    )
    values = {r["Id"]: r["Values"] for r in answer["MetricDataResults"]}
    starts = round(sum(values["starts"]))
    if not starts:
        return Line("cold starts", OK, "none of http in the last 24 hours")
    longest = max(values["longest"])
    average = sum(values["total"]) / starts
    text = (
        f"{starts:,} of http in the last 24 hours, {average:,.0f} ms on average and "
        f"{longest:,.0f} ms at most"
    )
    if invocations := round(sum(values["invocations"])):
        text += f", for {invocations:,} invocations"
    if longest > INIT_LIMIT_MS:
        return Line(
            "cold starts",
            PROBLEM,
            f"{text}: Lambda ends an init phase after 10 seconds",
            "docs/capacity.md#cold-starts",
        )
    return Line("cold starts", OK, text)
