"""What a load needs of Lambda, the database and the account, by formulae."""

import math
from dataclasses import dataclass

from .bill import SECONDS, Month

# Quotas of an account and region before anything is raised, and Lambda's own speed.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
# https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
CONCURRENCY = 1000
BURST = 1000
BURST_PER_SECOND = 100
REQUESTS_PER_ENVIRONMENT = 10
# What must be left to the functions that reserve nothing.
UNRESERVED = 100
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
GATEWAY = 10_000
# Calls a second, of which each new environment makes one.
# https://docs.aws.amazon.com/general/latest/gr/ssm.html
PARAMETERS = 40
# Of max_connections: docs/operate.md.
SHARE = 0.8
# Connections of the functions without visitors: a command takes two, one for its lock.
COMMANDS = 2 * 2


@dataclass(frozen=True)
class Load:
    """
    A load at its peak.

    ``ms`` is how long a request takes, ``database_ms`` how much of that it holds a
    connection behind a proxy, and ``init_ms`` how long the init phase takes.
    ``peak`` is how often the average goes into ``rps``.
    """

    rps: float
    ms: float = 80
    database_ms: float = 20
    init_ms: float = 1000
    tasks_per_second: float = 1
    task_ms: float = 500
    memory: float = 1024
    door: str = "http-api"
    peak: float = 4

    @property
    def busy(self) -> float:
        """Return how many environments are at work on average: Little's law."""
        return self.rps * self.ms / 1000

    @property
    def reserved(self) -> int:
        """Return how many environments to allow the web function."""
        return max(spread(self.busy), math.ceil(self.rps / REQUESTS_PER_ENVIRONMENT))

    @property
    def cold(self) -> int:
        """
        Return how many environments start when none is there.

        Until the first of them is free again, each request gets one of its own.
        """
        return math.ceil(self.rps * (self.init_ms + self.ms) / 1000)

    @property
    def cold_seconds(self) -> float:
        """Return how long Lambda takes to have them."""
        return max(0, self.cold - BURST) / BURST_PER_SECOND

    @property
    def consumers(self) -> int:
        """Return the `maximumConcurrency` of the queue; AWS wants 2 or more."""
        return max(2, spread(self.tasks_per_second * self.task_ms / 1000))

    @property
    def direct(self) -> int:
        """Return the connections of all functions, without a proxy."""
        return self.reserved + self.consumers + COMMANDS

    @property
    def proxied(self) -> int:
        """Return the connections that a proxy needs at the database."""
        web = spread(self.rps * self.database_ms / 1000)
        return web + self.consumers + COMMANDS

    @property
    def to_raise(self) -> list[str]:
        """Return the quotas that do not suffice, with what is needed."""
        concurrency = max(self.reserved, self.cold) + self.consumers + UNRESERVED
        needs = {
            "Lambda concurrency": (concurrency, CONCURRENCY),
            "API Gateway requests": (
                0 if self.door == "function-url" else math.ceil(self.rps),
                GATEWAY,
            ),
            "SSM throughput": (math.ceil(min(self.rps, self.cold, BURST)), PARAMETERS),
        }
        return [
            f"{name} {need:,}" for name, (need, quota) in needs.items() if need > quota
        ]

    @property
    def month(self) -> Month:
        """Return a month of it."""
        return Month(
            requests=self.rps / self.peak * SECONDS,
            ms=self.ms,
            memory=self.memory,
            door=self.door,
            tasks=self.tasks_per_second / self.peak * SECONDS,
            task_ms=self.task_ms,
        )


def spread(average: float) -> int:
    """
    Return how many are at work at once, but for one moment in a thousand.

    What arrives independently is at work in a Poisson distribution, whose standard
    deviation is the root of its average: three of them are added.
    """
    return max(1, math.ceil(average + 3 * math.sqrt(average)))


def connections(needed: int) -> int:
    """Return the least max_connections of which they are 80 %."""
    return math.ceil(needed / SHARE)
