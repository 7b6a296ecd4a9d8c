"""
Build the site with every adapter, measure them, and write docs/performance.md.

    python -m benchmarks.compare [--rounds 15] [--quick] [--report]

About 15 minutes on a quiet machine with two cores. The results are in
docs/performance/results.json; --report writes the page and its charts again from it,
and measures nothing. --quick runs everything once, without the larger sites, and
writes only the results, to the file that --output names.
"""

import argparse
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from apps.aws_lambda.cli import ROOT
from tests.services.install import Unavailable
from tests.services.postgresql import PostgreSQL

from . import build, cold, report, restore, warm
from .process import FIRST_SCENARIO, Target, WrongAnswer
from .variants import (
    AS_PACKAGED,
    COLD,
    LEANEST,
    MAIN,
    OPTIONS,
    OURS,
    PIP,
    RESTORED,
    VALID,
    WARM,
    WITH_BOTO3,
    Variant,
)

REQUESTS = 20_000
# Of the random order.
SEED = 20


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="benchmarks.compare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--output", type=Path, default=report.RESULTS)
    options = parser.parse_args()
    if options.report:
        report.write(options.output)
        return 0
    if sys.platform != "linux":
        print(
            f"The comparison does not run on {sys.platform}: it reads /proc and drops "
            "files from the page cache, which needs Linux. Run it in a Linux machine "
            "or container.",
            file=sys.stderr,
        )
        return 1
    rounds = 1 if options.quick else options.rounds
    try:
        with working_folder() as work:
            results = measure(work, rounds, options.quick)
            options.output.parent.mkdir(parents=True, exist_ok=True)
            options.output.write_text(report.encode(results))
    except (build.BuildError, Unavailable, WrongAnswer) as error:
        print(error, file=sys.stderr)
        return 1
    if not options.quick:
        report.write(options.output)
    return 0


@contextmanager
def working_folder() -> Iterator[Path]:
    """Make a folder in the project: /tmp may be memory, which cannot be evicted."""
    (ROOT / "dist").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "dist") as folder:
        yield Path(folder)


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


def measure(work: Path, rounds: int, quick: bool) -> dict[str, Any]:
    """Return the results. Raises BuildError and WrongAnswer."""
    random = Random(SEED)  # noqa: S311
    begin, load, run = time.monotonic(), os.getloadavg(), machine()
    builder = build.Builder(work)
    say("Building the packages")
    libraries = build.runtime_libraries(work / "libraries")
    with PostgreSQL() as server:
        used = (*selected(COLD, quick), *WARM, *RESTORED)
        targets = {}
        for name, variant in {variant.name: variant for variant in used}.items():
            root = builder.build(variant)
            targets[name] = Target(variant, root, libraries, server.url())
        build.seed(targets[LEANEST.name].root, LEANEST, server.url())
        say("Comparing the answers")
        expected = warm.expected_answers(targets[OURS.name])
        for variant in WARM:
            warm.check_answers(targets[variant.name], expected)
        modules = {
            variant.name: cold.checked_modules(targets[variant.name])
            for variant in (*MAIN, *AS_PACKAGED)
        }
        say("Measuring cold starts")
        chosen = [targets[variant.name] for variant in selected(COLD, quick)]
        first = expected[FIRST_SCENARIO]
        cold_results = cold.rounds(chosen, rounds, first, random)
        say("Counting instructions")
        instructions = cold.all_instructions(
            [t for t in chosen if t.variant.bytecode == VALID]
        )
        say("Measuring warm requests")
        warm_targets = [targets[variant.name] for variant in WARM]
        warm_results = warm.rounds(warm_targets, rounds, random)
        say("Measuring restored clones and memory")
        restored = {
            name: restore.first_requests(targets[name], rounds)
            for name in (variant.name for variant in RESTORED)
        }
        memory = warm.memory(targets[OURS.name], REQUESTS // (100 if quick else 1))
    return {
        "run": {
            **run,
            "rounds": rounds,
            "load": [load[0], os.getloadavg()[0]],
            "minutes": (time.monotonic() - begin) / 60,
        },
        "versions": build.versions(),
        "modules": modules,
        "size_mb": builder.sizes((*MAIN[:1], *AS_PACKAGED, PIP, WITH_BOTO3)),
        "cold": cold_results,
        "instructions_m": instructions,
        "warm": warm_results,
        "restore_cpu_ms": restored,
        "memory_mb": memory,
    }


def selected(variants: tuple[Variant, ...], quick: bool) -> tuple[Variant, ...]:
    """Return all variants, or those that a quick run has time for."""
    return (*MAIN, *AS_PACKAGED, *OPTIONS) if quick else variants


def machine() -> dict[str, Any]:
    """Return what the results depend on: processor, system, Python, commit, date."""
    model = re.findall(r"^model name\s*: (.+)", Path("/proc/cpuinfo").read_text(), re.M)
    describe = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = build.run(describe).strip()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit,
        "processor": model[0] if model else platform.machine(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "awslambdaric": version("awslambdaric"),
    }


if __name__ == "__main__":
    sys.exit(main())
