"""Cold starts: the init phase and the first request, which queries the database."""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import NamedTuple

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment

from .process import (
    FIRST,
    Target,
    WrongAnswer,
    check,
    cpu_seconds,
    evict,
    memory_bytes,
    read_bytes,
    send,
)
from .variants import VALID

# What Python prints with -v for a module of the package.
COMPILED = re.compile(r"^# code object from (/.*\.py)$", re.MULTILINE)
LOADED = re.compile(r"^# code object from '(.*\.pyc)'$", re.MULTILINE)
IMPORTED = re.compile(r"^import '([\w.]+)' #", re.MULTILINE)


class Start(NamedTuple):
    """The processor time and the wall time until the first response, and more."""

    cpu_seconds: float
    wall_seconds: float
    memory_bytes: int
    read_bytes: int  # from the disk


def start(target: Target, expected: str) -> Start:
    """Start an execution environment, and send one request."""
    environment = target.environment()
    begin = time.perf_counter()
    with environment as running:
        response = send(running, FIRST)
        wall = time.perf_counter() - begin
        pid = running.pid
        measured = Start(cpu_seconds(pid), wall, memory_bytes(pid), read_bytes(pid))
    check(target.name, FIRST, response, expected)
    return measured


def rounds(
    targets: Sequence[Target], number: int, expected: str, random: Random
) -> dict[str, dict[str, list[float]]]:
    """
    Return milliseconds and megabytes by target and kind, one for each round.

    In a round, all are started in random order, with the files of the package in the
    page cache and, for those whose growth is not measured, without them.
    """
    kinds = ("cpu_ms", "wall_ms", "evicted_ms", "memory_mb")
    found: dict[str, dict[str, list[float]]] = {
        target.name: {kind: [] for kind in kinds} for target in targets
    }
    evicts = True
    for _ in range(number):
        for target in random.sample(targets, len(targets)):
            samples = found[target.name]
            once = start(target, expected)
            samples["cpu_ms"].append(once.cpu_seconds * 1000)
            samples["wall_ms"].append(once.wall_seconds * 1000)
            samples["memory_mb"].append(once.memory_bytes / 1e6)
            if not target.variant.items:
                evict(target.root)
                evicted = start(target, expected)
                # Nothing is evicted from a disk that is memory.
                evicts = evicts and evicted.read_bytes > 0
                samples["evicted_ms"].append(evicted.wall_seconds * 1000)
    if not evicts:
        for samples in found.values():
            samples["evicted_ms"].clear()
    return found


def checked_modules(target: Target) -> dict[str, int]:
    """
    Return how many modules of the package a start imports, compiles and loads.

    What a bundle has is imported, and neither compiled nor loaded from a file. Raises
    WrongAnswer unless the bytecode is what the variant names.
    """
    environment = target.environment(flags=("-v",), variables={"PYTHONVERBOSE": "1"})
    with environment as running:
        send(running, FIRST)
        log = running.log
    folder = f"{target.root}{os.sep}"
    counts = {
        "imported": len(set(IMPORTED.findall(log))),
        "compiled": sum(path.startswith(folder) for path in COMPILED.findall(log)),
        "loaded": sum(path.startswith(folder) for path in LOADED.findall(log)),
    }
    valid = target.variant.bytecode == VALID
    if not counts["imported"] or bool(counts["compiled"]) == valid:
        raise WrongAnswer(
            f"{target.name} has {target.variant.bytecode} bytecode, and its start "
            f"compiled {counts['compiled']} of {counts['imported']} modules."
        )
    return counts


def all_instructions(targets: Sequence[Target]) -> dict[str, float]:
    """Return the instructions of a start by target; without cachegrind, none."""
    # A count does not depend on what else the machine does.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counts = list(pool.map(instructions, targets))
    return {t.name: c for t, c in zip(targets, counts, strict=True) if c}


def shut_down(running: ExecutionEnvironment) -> None:
    """
    End a process with SIGTERM, on which cachegrind writes its file.

    AWS's runtime client looks at a signal only when it interrupts the wait for the next
    event, which may not have begun. Raises subprocess.TimeoutExpired after a minute.
    """
    for _ in range(5):
        try:
            running.shut_down(seconds=10)
            return
        except subprocess.TimeoutExpired:
            continue
    running.shut_down(seconds=10)


def instructions(target: Target) -> float | None:
    """Return the millions of instructions of a start, or None without cachegrind."""

    def run(prefix: tuple[str, ...]) -> None:
        running = target.environment(prefix=prefix, variables={"PYTHONHASHSEED": "0"})
        try:
            running.start(seconds=600)
            response = send(running, FIRST)
            shut_down(running)
        finally:
            running.stop()
        if response.status != 200:
            raise WrongAnswer(
                f"{target.name} answered {FIRST.target} with {response.status}: "
                f"{running.log[-2000:]}"
            )

    return count(run)


def count(run: Callable[[tuple[str, ...]], object]) -> float | None:
    """
    Return the millions of instructions of a program, or None without cachegrind.

    ``run`` gets the beginning of the command, and returns when the program has ended.
    The number does not depend on the load of the machine. With PYTHONHASHSEED=0 it is
    the same each time, to one thousandth.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        prefix = (
            *(valgrind, "--quiet", "--trace-children=yes"),
            *("--tool=cachegrind", "--cache-sim=no"),
            f"--cachegrind-out-file={scratch}/%p",
        )
        run(prefix)
        counts = [
            int(re.findall(r"^summary: (\d+)", path.read_text(), re.MULTILINE)[0])
            for path in Path(scratch).iterdir()
        ]
    return max(counts) / 1e6
