"""Warm requests: what each costs in an environment that has served many."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from random import Random

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment

from .process import (
    EVENT_SOURCE,
    SCENARIOS,
    Target,
    WrongAnswer,
    check,
    cpu_seconds,
    fingerprint,
    memory_bytes,
    send,
)

# Requests in a row, of which the mean is taken.
BATCH = 40
LARGE_BATCH = 4
LARGE = {"1 MiB down", "1 MiB up", "5 MB of text"}
# What the 20,000 requests are, in turn.
MIXED = ("small JSON", "20 rows of PostgreSQL", "20 KB page", "admin login page")


@contextmanager
def running_all(targets: Sequence[Target]) -> Iterator[list[ExecutionEnvironment]]:
    """Keep an environment of each target running for the block."""
    with ExitStack() as stack:
        yield [stack.enter_context(target.environment()) for target in targets]


def expected_answers(target: Target) -> dict[str, str]:
    """Return the fingerprint of a target's answer in each scenario."""
    found = {}
    with target.environment() as running:
        for name, request in SCENARIOS.items():
            response = send(running, request)
            if response.status != 200 or response.fault:
                raise WrongAnswer(
                    f"{target.name} answered {request.target} with {response.status}: "
                    f"{response.fault or running.log[-2000:]}"
                )
            found[name] = fingerprint(response)
    return found


def check_answers(target: Target, expected: Mapping[str, str]) -> None:
    """Raise WrongAnswer unless a target answers each scenario as expected."""
    with target.environment() as running:
        for name, request in SCENARIOS.items():
            check(target.name, request, send(running, request), expected[name])


def rounds(
    targets: Sequence[Target], number: int, random: Random
) -> dict[str, dict[str, dict[str, list[float]]]]:
    """
    Return milliseconds of a request by scenario, target and kind, one for each round.

    In a round, all targets serve a batch in random order.
    """
    found: dict[str, dict[str, dict[str, list[float]]]] = {
        name: {target.name: {"cpu_ms": [], "wall_ms": []} for target in targets}
        for name in SCENARIOS
    }
    with running_all(targets) as environments:
        pairs = list(zip(targets, environments, strict=True))
        for name in SCENARIOS:
            for _, running in pairs:
                batch(running, name)
            for _ in range(number):
                for target, running in random.sample(pairs, len(pairs)):
                    cpu, wall = batch(running, name)
                    found[name][target.name]["cpu_ms"].append(cpu * 1000)
                    found[name][target.name]["wall_ms"].append(wall * 1000)
    return found


def batch(running: ExecutionEnvironment, scenario: str) -> tuple[float, float]:
    """Return the mean processor seconds and wall seconds of requests in a row."""
    event = EVENT_SOURCE.event(SCENARIOS[scenario])
    number = LARGE_BATCH if scenario in LARGE else BATCH
    cpu, wall = cpu_seconds(running.pid), time.perf_counter()
    for _ in range(number):
        running.invoke(event)
    wall = time.perf_counter() - wall
    return (cpu_seconds(running.pid) - cpu) / number, wall / number


def memory(target: Target, requests: int) -> dict[str, float]:
    """Return the resident megabytes by the number of requests that were served."""
    found = {}
    samples = {1, requests // 20, requests // 2, requests}
    with target.environment() as running:
        events = [EVENT_SOURCE.event(SCENARIOS[name]) for name in MIXED]
        for number in range(1, requests + 1):
            running.invoke(events[number % len(events)])
            if number in samples:
                found[str(number)] = memory_bytes(running.pid) / 1e6
    return found
