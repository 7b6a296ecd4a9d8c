"""
What a task costs: with SQSBackend, Django's immediate backend, and Celery on SQS.

All use the same local SQS and are timed in turn; each round gives one ratio. The local
SQS is written in Python and takes most of the elapsed time; the CPU time is the
sender's only.

Celery is installed into .cache the first time.

Run: .venv/bin/python -m benchmarks.tasks
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from tests.environment import postgresql
from tests.services import install
from tests.services.aws import AWS

ROUNDS = 30
CELERY = install.CACHE / "celery"
REQUIREMENT = "celery[sqs]==5.6.*"
MESSAGES = 200
IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"


def measure(rivals: dict[str, Callable[[], Any]], rounds: int) -> None:
    """Print the median milliseconds of each, and the ratios to the first."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, function in rivals.items():
            wall, processor = time.perf_counter(), time.process_time()
            function()
            took[name].append(
                (time.perf_counter() - wall, time.process_time() - processor)
            )
    ours, *_ = took.values()
    for name, times in took.items():
        cells = []
        for column in (0, 1):
            pairs = [(m[column], t[column]) for m, t in zip(ours, times, strict=True)]
            ratio = median(theirs / mine for mine, theirs in pairs)
            cells.append(f"{median(t for _, t in pairs) * 1000:9.2f} ms {ratio:6.2f}")
        print(f"  {name:32}{cells[0]}   CPU {cells[1]}")


def install_celery() -> None:
    if not CELERY.is_dir():
        install.say(f"Installing {REQUIREMENT} into .cache/celery.")
        install.run(
            [
                *(sys.executable, "-m", "uv", "pip", "install", "--quiet"),
                *("--python", sys.executable, "--target", str(CELERY), REQUIREMENT),
            ]
        )
    sys.path.append(str(CELERY))


def peer(a: int, b: int) -> int:
    return a + b


# Consumes the messages, and prints the rate per second.
WORKER = """
import os, sys, time
sys.path.append(sys.argv[1])
from celery import Celery

app = Celery("benchmark", broker="sqs://testing:testing@")
app.conf.broker_transport_options = {
    "region": "eu-central-1",
    "predefined_queues": {"celery": {"url": sys.argv[2]}},
}
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 10
started = []

@app.task(name="add")
def add(a, b):
    started.append(time.perf_counter())
    if len(started) == int(sys.argv[3]):
        # Celery redirects sys.stdout to its log.
        os.write(1, f"{len(started) / (started[-1] - started[0])}".encode())
        os._exit(0)

app.worker_main(["worker", "--pool=solo", "--loglevel=CRITICAL", "--without-gossip",
                 "--without-mingle", "--without-heartbeat"])
"""


def celery_app(aws: AWS, url: str) -> Any:
    from celery import Celery

    app = Celery("benchmark", broker="sqs://testing:testing@")
    app.conf.broker_transport_options = {
        "region": "eu-central-1",
        "predefined_queues": {"celery": {"url": url}},
    }
    app.conf.task_ignore_result = True
    return app


def enqueue(aws: AWS) -> None:
    """Time one task and a hundred, with and without a transaction."""
    from django.db import connection, transaction
    from django.test.utils import override_settings

    from tests.aws_lambda.tasks.conftest import Queue
    from tests.aws_lambda.tasks.jobs import add

    queue, other = Queue(aws), Queue(aws)
    app = celery_app(aws, other.url)
    peer_add = app.task(name="add")(peer)
    immediate = {"default": {"BACKEND": IMMEDIATE}}
    connection.ensure_connection()

    def with_backend(tasks: Any, function: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> None:
            with override_settings(TASKS=tasks):
                function()

        return run

    def ours(number: int) -> Callable[[], Any]:
        def run() -> None:
            for _ in range(number):
                add.enqueue(1, 2)

        return run

    def atomically(number: int) -> Callable[[], Any]:
        def run() -> None:
            with transaction.atomic():
                ours(number)()

        return run

    def theirs(number: int) -> Callable[[], Any]:
        def run() -> None:
            for _ in range(number):
                peer_add.delay(1, 2)

        return run

    for number, rounds in ((1, ROUNDS), (100, 5)):
        print(f"Enqueue {number}")
        measure(
            {
                "in a transaction": with_backend(queue.options(), atomically(number)),
                "without one": with_backend(queue.options(), ours(number)),
                "in a transaction, with results": with_backend(
                    queue.options(RESULTS=True), atomically(number)
                ),
                "immediate backend (runs it)": with_backend(immediate, ours(number)),
                "Celery": theirs(number),
            },
            rounds,
        )


def consume(aws: AWS) -> None:
    """Receive, run and delete tasks until the queue is empty."""
    from django.test.utils import override_settings

    from apps.aws_lambda import handlers
    from apps.aws_lambda.test import LambdaContext
    from tests.aws_lambda.tasks.conftest import Queue
    from tests.aws_lambda.tasks.jobs import add

    handler = handlers.tasks()
    spent = 0.0

    def timed(event: Any) -> Any:
        nonlocal spent
        start = time.perf_counter()
        answer = handler(event, LambdaContext())
        spent += time.perf_counter() - start
        return answer

    rates: dict[str, list[float]] = {}
    for _ in range(5):
        for name, options in (("no results", {}), ("results", {"RESULTS": True})):
            queue = Queue(aws)
            with override_settings(TASKS=queue.options(**options)):
                for number in range(MESSAGES):
                    add.enqueue(number, 0)
                spent, start = 0.0, time.perf_counter()
                mapping = queue.mapping(timed)
                while mapping.poll():
                    pass
            everything = time.perf_counter() - start
            rates.setdefault(f"{name}", []).append(MESSAGES / everything)
            rates.setdefault(f"{name}, the function only", []).append(MESSAGES / spent)
        with override_settings(TASKS={"default": {"BACKEND": IMMEDIATE}}):
            start = time.perf_counter()
            for number in range(MESSAGES):
                add.enqueue(number, 0)
            took = time.perf_counter() - start
        rates.setdefault("immediate backend", []).append(MESSAGES / took)
        queue = Queue(aws)
        task = celery_app(aws, queue.url).task(name="add")(peer)
        for number in range(MESSAGES):
            task.delay(number, 0)
        command = [sys.executable, "-W", "ignore", "-c", WORKER, str(CELERY), queue.url]
        printed = subprocess.check_output([*command, str(MESSAGES)], text=True)
        rates.setdefault("Celery's worker, solo", []).append(float(printed.split()[-1]))
    print(f"Run {MESSAGES} tasks")
    ours = rates["no results"]
    for name, rate in rates.items():
        ratios = [theirs / mine for mine, theirs in zip(ours, rate, strict=True)]
        print(f"  {name:34}{median(rate):9.0f} /s {median(ratios):8.2f}")


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.aws_lambda.tasks.settings"
    install_celery()
    postgresql.start()
    with AWS(serial=True) as aws:
        os.environ.update(aws.environment())
        import django

        django.setup()
        logging.disable(logging.ERROR)
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        enqueue(aws)
        consume(aws)
        connection.close()
    postgresql.stop()


if __name__ == "__main__":
    main()
