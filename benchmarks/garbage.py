"""
Measure the cost of the garbage collector in an execution environment.

The init phase runs with the collector off. New processes are measured in
alternation with and without this. Then, in one process, batches of requests are
measured in alternation with and without gc.freeze, and after each batch a full
collection, which delays one request in thousands. Each pair gives one ratio, so that
load on the machine affects both. A ratio below 1 means that the measure helps.

Run: .venv/bin/python -m benchmarks.garbage
"""

import json
import os
import subprocess
import sys
from statistics import median, quantiles

from tests.services.install import PROJECT

ENVIRON = {
    "ALLOWED_HOSTS": "*",
    "ENV_FILE": os.devnull,
    "LOG_LEVEL": "WARNING",
    "PYTHONPATH": str(PROJECT),
}
# Milliseconds of processor time.
INIT = """
import gc, json, sys, time

if "without" in sys.argv:
    gc.disable = lambda: None
start = time.process_time()
import lambda_entry
print(json.dumps((time.process_time() - start) * 1000))
"""
REQUESTS = """
import gc, json, time
import lambda_entry
from apps.aws_lambda.test import LambdaContext
from tests.events import load_event

event, context = load_event("http_default", rawPath="/"), LambdaContext()

def batch():
    start = time.process_time()
    for _ in range(300):
        lambda_entry.http(event, context)
    return (time.process_time() - start) / 300 * 1000

def collection():
    start = time.process_time()
    gc.collect()
    return (time.process_time() - start) * 1000

batch()
requests, collections = [], []
for _ in range(40):
    gc.unfreeze()
    gc.collect()
    without = batch(), collection()
    gc.freeze()
    having = batch(), collection()
    requests.append((without[0], having[0]))
    collections.append((without[1], having[1]))
print(json.dumps([requests, collections]))
"""
Pairs = list[tuple[float, float]]


def run(code: str, *arguments: str) -> str:
    command = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    output = subprocess.check_output(command, cwd=PROJECT, env=ENVIRON, text=True)
    return output.splitlines()[-1]


def print_row(name: str, pairs: Pairs) -> None:
    without, having = (median(times) for times in zip(*pairs, strict=True))
    low, middle, high = quantiles([b / a for a, b in pairs], n=4)
    print(
        f"| {name} | {without:.3f} | {having:.3f} | "
        f"{middle:.3f} ({low:.3f} to {high:.3f}) |"
    )


def main() -> None:
    print("| ms of processor time | without | with | ratio (quartiles) |")
    print("| --- | --- | --- | --- |")
    # The first pair fills the page cache.
    pairs: Pairs = [(float(run(INIT, "without")), float(run(INIT))) for _ in range(26)]
    print_row("init phase, gc.disable", pairs[1:])
    requests, collections = json.loads(run(REQUESTS))
    print_row("a request, gc.freeze", requests)
    print_row("a full collection, gc.freeze", collections)


if __name__ == "__main__":
    main()
