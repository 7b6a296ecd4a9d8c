"""
The state that CloudWatch gives an alarm: metric math, missing data, M out of N.

As far as the alarms of the deployment need it; anything else raises ValueError.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# The data points of consecutive periods, the latest one last. None is a missing one.
Series = Sequence[float | None]
# A scalar has one value at all times.
Value = float | Series

ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISON: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
BREACHES = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
# Without the quota of the account, SERVICE_QUOTA has no data.
QUOTA = 1000.0


def state(alarm: Mapping[str, Any], data: Mapping[str, Series]) -> str:
    """
    Return "ALARM" or "OK" for the properties of an alarm.

    ``data`` has the data points of its evaluation range by the IDs of its metrics, or
    by the name of its only metric.
    """
    points = [point for point in watched(alarm, data) if point is not None]
    periods = alarm["EvaluationPeriods"]
    treat = alarm.get("TreatMissingData", "missing")
    if treat not in ("breaching", "notBreaching"):
        raise ValueError(f"TreatMissingData: {treat} is not supported.")
    breaches = BREACHES[alarm["ComparisonOperator"]]
    evaluated = [breaches(point, alarm["Threshold"]) for point in points[-periods:]]
    evaluated += [treat == "breaching"] * (periods - len(evaluated))
    needed = alarm.get("DatapointsToAlarm", periods)
    return "ALARM" if sum(evaluated) >= needed else "OK"


def watched(alarm: Mapping[str, Any], data: Mapping[str, Series]) -> Series:
    """Return the data points that an alarm compares with its threshold."""
    if "Metrics" not in alarm:
        return data[alarm["MetricName"]]
    [expression] = [m["Expression"] for m in alarm["Metrics"] if m.get("ReturnData")]
    ids = {metric["Id"] for metric in alarm["Metrics"] if "MetricStat" in metric}
    if ids != data.keys():
        raise ValueError(f"The alarm has the metrics {sorted(ids)}, not {[*data]}.")
    return calculate(expression, data)


def calculate(expression: str, data: Mapping[str, Series]) -> Series:
    """Return the time series of an expression of metric math."""
    value = _value(ast.parse(expression, mode="eval").body, data)
    if not isinstance(value, Sequence):
        raise ValueError(f"{expression} is a number, not a time series.")
    return value


def _value(node: ast.expr, data: Mapping[str, Series]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return data[name]
        case ast.BinOp(left=left, op=operation, right=right):
            return _pointwise(
                ARITHMETIC[type(operation)], _value(left, data), _value(right, data)
            )
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return _pointwise(
                COMPARISON[type(comparison)], _value(left, data), _value(right, data)
            )
        case ast.Call(func=ast.Name(id="IF"), args=[condition, *values]):
            chosen = [_value(value, data) for value in values]
            return _choose(_value(condition, data), *chosen)
        case ast.Call(
            func=ast.Name(id="FILL"),
            args=[series, ast.Constant(value=int() | float() as filler)],
        ):
            found = _value(series, data)
            assert isinstance(found, Sequence)
            return [filler if point is None else point for point in found]
        case ast.Call(func=ast.Name(id="SUM"), args=[ast.List(elts=several)]):
            total, *others = [_value(each, data) for each in several]
            for other in others:
                total = _pointwise(operator.add, total, other)
            return total
        case ast.Call(func=ast.Name(id="SERVICE_QUOTA"), args=[ast.Name(id=name)]):
            return [None if point is None else QUOTA for point in data[name]]
    raise ValueError(f"{ast.unparse(node)} is not supported.")


def _pointwise(
    operation: Callable[[float, float], float], left: Value, right: Value
) -> Value:
    """
    Return the results at each time. Of two time series, a missing point counts as 0.

    Where neither has a point, or the divisor is 0, there is none.
    """
    if not isinstance(left, Sequence) and not isinstance(right, Sequence):
        return float(operation(left, right))
    if not isinstance(left, Sequence):
        assert isinstance(right, Sequence)
        pairs = [(None if b is None else left, b) for b in right]
    elif not isinstance(right, Sequence):
        pairs = [(a, None if a is None else right) for a in left]
    else:
        pairs = [*zip(left, right, strict=True)]
    results: list[float | None] = []
    for a, b in pairs:
        try:
            missing = a is None and b is None
            results.append(None if missing else float(operation(a or 0.0, b or 0.0)))
        except ZeroDivisionError:
            results.append(None)
    return results


def _choose(condition: Value, yes: Value, no: Value | None = None) -> Value:
    """
    Return ``yes`` where the condition is true, otherwise ``no``.

    Where it is true, a missing point of ``yes`` is 0. Where the condition has no point,
    or ``no`` is missing, there is none.
    """
    if not isinstance(condition, Sequence):
        raise ValueError("IF with a number as its condition is not supported.")
    results: list[float | None] = []
    for place, holds in enumerate(condition):
        if holds is None:
            results.append(None)
        elif holds:
            results.append(_at(yes, place) or 0.0)
        else:
            results.append(_at(no, place))
    return results


def _at(value: Value | None, place: int) -> float | None:
    return value[place] if isinstance(value, Sequence) else value
