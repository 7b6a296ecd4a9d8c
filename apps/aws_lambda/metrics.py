"""
CloudWatch metrics inside log lines: no network call, no agent.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

Any code adds a metric by an ordinary log call, and needs nothing of this app:

    logger.info("Done", extra={"metrics": {"Rows": 12, "Took": (80, "Milliseconds")}})
"""

import os
from collections.abc import Mapping
from typing import Any

# A value, counted, or a value and one of CloudWatch's units.
Measured = Mapping[str, float | tuple[float, str]]

NAMESPACE = "DjangoOnLambda"
# What a metric can be looked at by, if the log call gives it as ``extra``.
DIMENSIONS = ("route", "task")


def embed(
    measured: Measured, created: float, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Return the fields that make a log line carry these metrics.

    ``created`` is in seconds since 1970. Each metric counts for the function as a
    whole, and also for the dimensions that ``extra`` has a value for.
    """
    values: dict[str, Any] = {
        "FunctionName": os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
    }
    dimensions = [["FunctionName"]]
    for name in DIMENSIONS:
        if extra.get(name):
            values[name] = str(extra[name])
            dimensions.append(["FunctionName", name])
    definitions = []
    for name, value in measured.items():
        number, unit = value if isinstance(value, tuple) else (value, "Count")
        values[name] = number
        definitions.append({"Name": name, "Unit": unit})
    return {
        "_aws": {
            "Timestamp": int(created * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": os.environ.get("LAMBDA_METRICS_NAMESPACE", NAMESPACE),
                    "Dimensions": dimensions,
                    "Metrics": definitions,
                }
            ],
        },
        **values,
    }
