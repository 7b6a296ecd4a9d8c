"""
Print the concurrency and connections that a load needs.

    django-on-lambda capacity --rps 500 --ms 120

It calculates and calls no AWS API. docs/capacity.md#concurrency explains the formulas
and what they leave out; only a load test shows the rest.
"""

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

from .arguments import parser_of

# Lambda starts no more than one environment for 10 requests per second:
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
REQUESTS_PER_ENVIRONMENT = 10
# The lowest maximumConcurrency that SQS event source mappings accept:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
MIN_CONSUMERS = 2
# Connections of scheduled and remote commands: two may run, and each holds a second
# connection for its lock.
COMMANDS = 2 * 2
# Of max_connections; the rest is for migrations and people:
# docs/capacity.md#connections
MAX_SHARE = 0.8

MEANINGS = {
    "ms": "duration of a request, in ms",
    "database_ms": "the part of it inside a transaction, in ms",
    "init_ms": "duration of the init phase, in ms",
    "tasks_per_second": "background tasks per second at the peak",
    "task_ms": "duration of a task, in ms",
}


@dataclass(frozen=True)
class Load:
    """
    A peak load and what it needs.

    ``ms`` is the duration of a request, ``database_ms`` the part of it inside a
    transaction, and ``init_ms`` the duration of the init phase.
    """

    rps: float
    ms: float = 80
    database_ms: float = 20
    init_ms: float = 1000
    tasks_per_second: float = 1
    task_ms: float = 500

    @property
    def busy(self) -> float:
        """Return the average number of busy environments: Little's law."""
        return self.rps * self.ms / 1000

    @property
    def concurrency(self) -> int:
        """Return the reserved concurrency for the web function."""
        minimum = math.ceil(self.rps / REQUESTS_PER_ENVIRONMENT)
        return max(with_peaks(self.busy), minimum)

    @property
    def cold(self) -> int:
        """
        Return how many environments start if none is warm.

        Each request gets its own until the first environment is free again.
        """
        return math.ceil(self.rps * (self.init_ms + self.ms) / 1000)

    @property
    def consumers(self) -> int:
        """Return the maximumConcurrency of the queue's event source mapping."""
        average = self.tasks_per_second * self.task_ms / 1000
        return max(MIN_CONSUMERS, with_peaks(average))

    @property
    def direct(self) -> int:
        """Return the max_connections for functions that connect directly."""
        return max_connections(self.concurrency + self.consumers + COMMANDS)

    @property
    def proxied(self) -> int:
        """Return the max_connections for functions that connect through a proxy."""
        transactions = with_peaks(self.rps * self.database_ms / 1000)
        return max_connections(transactions + self.consumers + COMMANDS)


def with_peaks(average: float) -> int:
    """
    Return the concurrency that is exceeded about once in a thousand moments.

    Independent arrivals make concurrency a Poisson distribution, whose standard
    deviation is the square root of its mean. Three of them are added.
    """
    return max(1, math.ceil(average + 3 * math.sqrt(average)))


def max_connections(needed: int) -> int:
    """Return the lowest max_connections of which this many are at most 80 %."""
    return math.ceil(needed / MAX_SHARE)


def table(loads: Sequence[Load]) -> str:
    """Return what each load needs, as a Markdown table."""
    rows = [
        "| requests/s | busy | concurrency | all cold | max_connections, direct "
        "| behind a proxy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    rows += [
        f"| {load.rps:,g} | {load.busy:,.1f} | {load.concurrency:,} | {load.cold:,} "
        f"| {load.direct:,} | {load.proxied:,} |"
        for load in loads
    ]
    return "\n".join(rows)


def positive(text: str) -> float:
    """Read a finite number above 0 from the command line."""
    try:
        number = float(text)
    except ValueError:
        number = 0
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return number


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for the loads on the command line."""
    parser = parser_of("capacity", __doc__)
    parser.add_argument(
        "--rps",
        type=positive,
        nargs="+",
        default=(1, 10, 100, 1_000, 10_000),
        help="requests per second at the peak, a row of the table for each",
    )
    for field in fields(Load)[1:]:
        option = f"--{field.name.replace('_', '-')}"
        text = f"{MEANINGS[field.name]} ({field.default})"
        parser.add_argument(option, type=positive, default=field.default, help=text)
    options = vars(parser.parse_args(arguments))
    print(table([Load(rps, **options) for rps in options.pop("rps")]))
    return 0
