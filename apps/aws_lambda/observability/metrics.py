"""
CloudWatch metrics inside log lines: no network call, no agent.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

Any code adds a metric with an ordinary log call, and imports nothing of this app:

    logger.info("Done", extra={"metrics": {"Rows": 12, "Took": (80, "Milliseconds")}})

CloudWatch ignores a line that has one invalid metric. So an invalid metric is left
out, and named in the line.
"""

import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from ..aws.limits import (
    MAX_METRIC_DIMENSION_CHARACTERS,
    MAX_METRIC_NAME_CHARACTERS,
    MAX_METRIC_VALUE,
    MAX_METRIC_VALUES,
    MAX_METRICS_PER_LINE,
)

# A value or a list of them, counted; or that and one of CloudWatch's units.
Value = float | list[float]
Measured = Mapping[str, Value | tuple[Value, str]]

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDatum.html
SIZES = ("Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes")
BITS = ("Bits", "Kilobits", "Megabits", "Gigabits", "Terabits")
UNITS = {
    *("Seconds", "Microseconds", "Milliseconds", "Percent", "Count", "None"),
    *SIZES,
    *BITS,
    *(f"{unit}/Second" for unit in (*SIZES, *BITS, "Count")),
}

# Counted for each version of the function too, by which a canary is judged. CloudWatch
# bills each metric of a version.
BY_VERSION = ("Requests", "Errors")


def embed(
    measured: Measured,
    created: float,
    entry: Mapping[str, Any],
    *,
    namespace: str,
    dimensions: Iterable[str],
) -> tuple[str, dict[str, Any], list[Any]]:
    """
    Return what makes a log line, ``entry``, carry these metrics.

    That is the value of the field ``_aws`` as JSON, or "" if there is no metric; the
    other fields; and the names of the metrics that CloudWatch would refuse.

    ``created`` is in seconds since 1970. Each metric counts for the function as a
    whole, and also for each of the dimensions that ``entry`` has a value for. Those of
    BY_VERSION count for the version too.
    """
    about = {
        "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"),
        **{name: dimension(entry[name]) for name in dimensions if entry.get(name)},
    }
    values: dict[str, Any] = {}
    units: list[str] = []
    refused: list[Any] = []
    taken = {*entry, *about, "_aws", "refused_metrics"}
    items = measured.items() if isinstance(measured, Mapping) else ()
    for name, value in items:
        amount: Any
        unit: Any
        amount, unit = (
            value if isinstance(value, tuple) and len(value) == 2 else (value, "Count")
        )
        if len(units) < MAX_METRICS_PER_LINE and is_valid(name, amount, unit, taken):
            values[name] = amount
            units.append(unit)
        else:
            refused.append(name)
    if not items:
        refused.append("metrics")
    if not units:
        return "", {}, refused
    directives = _directives(
        namespace,
        tuple(about),
        tuple(zip(values, units, strict=True)),
        bool(entry.get("function_version")),
    )
    directive = (
        f'{{"Timestamp": {int(created * 1000)}, "CloudWatchMetrics": {directives}}}'
    )
    return directive, about | values, refused


# The lines of one kind differ in their values only.
@lru_cache(maxsize=256)
def _directives(
    namespace: str,
    about: tuple[str, ...],
    units: tuple[tuple[str, str], ...],
    versioned: bool,
) -> str:
    """Return the metric directives as JSON, given the names of dimensions."""
    definitions = [{"Name": name, "Unit": unit} for name, unit in units]
    directives = [
        {
            "Namespace": namespace,
            "Dimensions": [
                ["FunctionName"],
                *(["FunctionName", name] for name in about if name != "FunctionName"),
            ],
            "Metrics": definitions,
        }
    ]
    own = [metric for metric in definitions if metric["Name"] in BY_VERSION]
    if own and versioned:
        by_version = ["FunctionName", "function_version"]
        directives.append(
            {"Namespace": namespace, "Dimensions": [by_version], "Metrics": own}
        )
    return json.dumps(directives, ensure_ascii=False)


def dimension(value: Any) -> str:
    """Return the value as CloudWatch accepts it: ASCII, and not too long."""
    return (
        str(value)
        .encode("ascii", "backslashreplace")
        .decode()[:MAX_METRIC_DIMENSION_CHARACTERS]
    )


def is_valid(name: Any, amount: Any, unit: Any, taken: set[str]) -> bool:
    """Return whether CloudWatch accepts it, and the line has no field of that name."""
    return (
        type(name) is str
        and type(unit) is str
        and _is_name(name)
        and name not in taken
        and unit in UNITS
        and (_are_numbers(amount) if isinstance(amount, list) else is_number(amount))
    )


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return (
        0 < len(name) <= MAX_METRIC_NAME_CHARACTERS
        and name.isascii()
        and name.isprintable()
        and not name.isspace()
    )


def _are_numbers(amounts: list[Any]) -> bool:
    return 0 < len(amounts) <= MAX_METRIC_VALUES and all(map(is_number, amounts))


def is_number(value: Any) -> bool:
    # NaN is not between anything.
    return type(value) in (int, float) and (
        -MAX_METRIC_VALUE <= value <= MAX_METRIC_VALUE
    )
