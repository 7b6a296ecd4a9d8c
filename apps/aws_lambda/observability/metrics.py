"""
CloudWatch metrics inside log lines: no network call, no agent.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

Any code adds a metric with an ordinary log call, and imports nothing of this app:

    logger.info("Done", extra={"metrics": {"Rows": 12, "Took": (80, "Milliseconds")}})

CloudWatch ignores a line that has one invalid metric. So an invalid metric is left
out, and named in the line.
"""

import json
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

# Fields of a line that carries metrics.
RESERVED = {"FunctionName", "_aws", "refused_metrics"}


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
    about = {"FunctionName": entry.get("function_name", "local")}
    for name in dimensions:
        if value := entry.get(name):
            about[name] = dimension(value)
    values: dict[str, Any] = {}
    units: list[str] = []
    refused: list[Any] = []
    items: Iterable[tuple[Any, Any]] = ()
    # That of a Mapping is the slower question.
    if isinstance(measured, (dict, Mapping)):
        items = measured.items()
    for name, given in items:
        amount, unit = given, "Count"
        if type(given) is tuple and len(given) == 2:
            amount, unit = given
        if (
            is_definition(name, unit)
            and (is_number(amount) or are_numbers(amount))
            and name not in entry
            and len(units) < MAX_METRICS_PER_LINE
        ):
            values[name] = amount
            units.append(unit)
        else:
            refused.append(name)
    if not items:
        refused.append("metrics")
    if not units:
        return "", {}, refused
    versioned = "function_version" in entry
    directives = _directives(
        namespace, tuple(about), tuple(values), tuple(units), versioned
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
    names: tuple[str, ...],
    units: tuple[str, ...],
    versioned: bool,
) -> str:
    """Return the metric directives as JSON, given the names of dimensions."""
    definitions = [
        {"Name": name, "Unit": unit} for name, unit in zip(names, units, strict=True)
    ]
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


def is_definition(name: Any, unit: Any) -> bool:
    """Return whether CloudWatch accepts the name and the unit of a metric."""
    return type(name) is str and type(unit) is str and unit in UNITS and _is_name(name)


@lru_cache(maxsize=256)
def _is_name(name: str) -> bool:
    return (
        0 < len(name) <= MAX_METRIC_NAME_CHARACTERS
        and name.isascii()
        and name.isprintable()
        and not name.isspace()
        and name not in RESERVED
    )


def is_number(value: Any) -> bool:
    """Return whether CloudWatch accepts the value of a metric."""
    kind = type(value)
    # NaN is not less than anything.
    return (kind is int or kind is float) and abs(value) <= MAX_METRIC_VALUE


def are_numbers(value: Any) -> bool:
    """Return whether CloudWatch accepts the list of values of a metric."""
    return (
        type(value) is list
        and 0 < len(value) <= MAX_METRIC_VALUES
        and all(map(is_number, value))
    )
