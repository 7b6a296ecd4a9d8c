"""
What the garbage collector costs, and what bootstrap.py saves of it.

The init phase runs with the collector off, and freezes what it made. Fresh
processes are timed in turn, with and without each of the two, and each round gives
one ratio: noise of the machine falls on both. Below 1 means that it pays.

Run: .venv/bin/python -m benchmarks.garbage
"""

import json
import os
import subprocess
import sys
from statistics import median, quantiles

from tests.services.install import PROJECT

ROUNDS = 25
REQUESTS = 1000
# Processor time in ms of the init phase, and of a request to a page of the site.
CHILD = """
import gc, json, sys, time

for name in sys.argv[1:]:
    setattr(gc, name, lambda: None)
start = time.process_time()
import lambda_entry
init = time.process_time() - start

from apps.aws_lambda.test import LambdaContext
from tests.events import load_event

event, context = load_event("http_default", rawPath="/"), LambdaContext()
for _ in range(20):
    lambda_entry.http(event, context)
start = time.process_time()
for _ in range({requests}):
    lambda_entry.http(event, context)
request = (time.process_time() - start) / {requests}
print(json.dumps([init * 1000, request * 1000]))
"""


def child(*without: str) -> list[float]:
    """Return the ms of one process in which these functions of gc do nothing."""
    output = subprocess.check_output(
        [
            *(sys.executable, "-W", "ignore", "-c"),
            CHILD.replace("{requests}", str(REQUESTS)),
            *without,
        ],
        cwd=PROJECT,
        env={
            "ALLOWED_HOSTS": "*",
            "ENV_FILE": os.devnull,
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(PROJECT),
        },
        text=True,
    )
    times: list[float] = json.loads(output.splitlines()[-1])
    return times


def main() -> None:
    print("| | init without, ms | with | ratio | request without, ms | with | ratio |")
    for name in ("disable", "freeze"):
        # The first two fill caches of the disk.
        rounds = [(child(name), child()) for _ in range(ROUNDS + 1)][1:]
        cells = []
        for kind in (0, 1):
            without, having = (
                [pair[0][kind] for pair in rounds],
                [pair[1][kind] for pair in rounds],
            )
            ratios = [b / a for a, b in zip(without, having, strict=True)]
            low, _, high = quantiles(ratios, n=4)
            cells += [
                f"{median(without):.3f}",
                f"{median(having):.3f}",
                f"{median(ratios):.3f} ({low:.3f} to {high:.3f})",
            ]
        print(f"| gc.{name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
