"""The evaluator of the tests agrees with the tables in CloudWatch's documentation."""

from typing import Any

import pytest

from tests.cli.cloudwatch import Series, calculate, state

# No data point.
NA = None


def points(text: str) -> Series:
    """Return data points in the notation of the documentation: "0 - X - X"."""
    values = {"0": 0.0, "X": 1.0, "-": None}
    return [values[character] for character in text.split()]


def alarm(m: int, missing: str) -> dict[str, Any]:
    return {
        "MetricName": "Errors",
        "EvaluationPeriods": 3,
        "DatapointsToAlarm": m,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": missing,
    }


@pytest.mark.parametrize(
    ("m", "data", "breaching", "not_breaching"),
    [
        (3, "0 - X - X", "OK", "OK"),
        (3, "0 - - - -", "OK", "OK"),
        (3, "- - - - -", "ALARM", "OK"),
        (3, "0 X X - X", "ALARM", "ALARM"),
        (3, "- - - - X", "ALARM", "OK"),
        (3, "X - - - -", "ALARM", "OK"),
        (2, "0 - X - X", "ALARM", "ALARM"),
        (2, "0 0 X 0 X", "ALARM", "ALARM"),
        (2, "0 - X - -", "ALARM", "OK"),
        (2, "- - - - 0", "ALARM", "OK"),
        (2, "- - - - X", "ALARM", "OK"),
    ],
)
def test_missing_data_is_evaluated_as_documented(
    m: int, data: str, breaching: str, not_breaching: str
):
    found = {"Errors": points(data)}

    assert state(alarm(m, "breaching"), found) == breaching
    assert state(alarm(m, "notBreaching"), found) == not_breaching


def test_another_treatment_of_missing_data_is_refused():
    with pytest.raises(ValueError, match="ignore is not supported"):
        state(alarm(3, "ignore"), {"Errors": [1, 1, 1]})


@pytest.mark.parametrize(
    ("expression", "data", "result"),
    [
        # "Comparison and logical operators"
        ("a < b", {"a": [30, 20, 0, 0], "b": [20, NA, 20, NA]}, [0, 0, 1, 0]),
        ("a >= 30", {"a": [30, 20, 0, 0]}, [1, 0, 0, 0]),
        # "Using IF expressions"
        (
            "IF(a, b, c)",
            {"a": [1, 1, 0, 0, NA], "b": [30, NA, 0, 0, 30], "c": [0, 0, 20, NA, 20]},
            [30, 0, 20, NA, NA],
        ),
        (
            "IF(a, 5, c)",
            {"a": [1, 1, 0, 0, NA], "c": [0, 0, 20, NA, 20]},
            [5, 5, 20, NA, NA],
        ),
        (
            "IF(a, b, 5)",
            {"a": [1, 1, 0, 0, NA], "b": [30, NA, 0, 0, 30]},
            [30, 0, 5, 5, NA],
        ),
        # "Basic arithmetic functions"
        ("a - b", {"a": [5, NA, NA], "b": [NA, 2, NA]}, [5, -2, NA]),
        ("100 * a / b", {"a": [1, 1, NA], "b": [4, 0, 2]}, [25, NA, 0]),
        ("FILL(a, 0)", {"a": [NA, 2]}, [0, 2]),
        ("SUM([a, b])", {"a": [1, NA], "b": [2, NA]}, [3, NA]),
    ],
)
def test_metric_math_is_calculated_as_documented(
    expression: str, data: dict[str, Series], result: Series
):
    assert calculate(expression, data) == result


@pytest.mark.parametrize("expression", ["RATE(a)", "a ** 2", "1 + 1", "a if a else 1"])
def test_what_is_not_supported_is_refused(expression: str):
    with pytest.raises((ValueError, KeyError)):
        calculate(expression, {"a": [1]})
