"""Many tasks, of which some fail, some end their process, and some hang."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.tasks.conftest import Queue
from tests.services.aws import AWS
from tests.services.install import PROJECT

ENVIRONMENTS = 3
# Seconds. An environment is killed after the first, and the guard interrupts four
# margins before.
TIMEOUT, MARGIN, VISIBILITY = 3, 0.5, 5
MAX_RECEIVE_COUNT = 5
# For all tasks, on a busy machine.
TIMEOUT_SECONDS = 300


def outcomes(tasks: int) -> dict[int, str]:
    """Return what some of the tasks do: always in the first half, else once."""
    half = tasks // 2
    return {
        **dict.fromkeys(range(7, half, 10), "fail always"),
        **dict.fromkeys(range(half + 7, tasks, 10), "fail"),
        **dict.fromkeys(range(51, half, 300), "exit always"),
        **dict.fromkeys(range(half + 51, tasks, 100), "kill"),
        **dict.fromkeys(range(93, half, 200), "hang always"),
        **dict.fromkeys(range(half + 93, tasks, 100), "hang"),
    }


# The web function, as far as it matters here.
ENQUEUE = """
import json, sys
import lambda_entry
from django.db import transaction
from tests.aws_lambda.tasks.jobs import behave

with transaction.atomic():
    for number, how in json.load(sys.stdin):
        behave.enqueue(number, how)
"""


@pytest.fixture
def server() -> Iterator[SiteServer]:
    server = SiteServer().start()
    server.ask("CREATE TABLE runs (number integer NOT NULL)")
    server.ask("GRANT ALL ON runs TO site")
    yield server
    server.stop()


class Worker:
    """One concurrent environment of the function, and another when it is lost."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables
        self.environment: ExecutionEnvironment | None = None
        self.lost: list[str] = []
        self.log = ""

    def start(self) -> None:
        if self.environment is None:
            self.environment = ExecutionEnvironment(
                self.variables, handler="lambda_entry.tasks"
            )
            self.environment.start()

    def __call__(self, event: Any) -> Any:
        assert self.environment is not None
        try:
            return self.environment.invoke(event, TIMEOUT)
        except FunctionError as error:
            self.lost.append(error.type)
            self.stop()
            raise

    def stop(self) -> None:
        if self.environment is not None:
            self.environment.stop()
            self.log += self.environment.log
            self.environment = None

    def work(self, queue: Queue, deadline: float) -> None:
        """Poll until the queue is empty."""
        mapping = queue.mapping(self)
        try:
            while time.monotonic() < deadline:
                # Before messages are received: their time runs from then on.
                self.start()
                if not mapping.poll():
                    if not queue.left():
                        return
                    time.sleep(0.1)
        finally:
            self.stop()


@pytest.mark.alone
@pytest.mark.parametrize(
    "tasks",
    [200, pytest.param(1000, marks=pytest.mark.nightly("1,000 tasks instead of 200"))],
)
def test_each_succeeds_once_or_ends_in_the_dead_letter_queue(
    aws: AWS, server: SiteServer, tasks: int
):
    how = outcomes(tasks)
    queue = Queue(aws, visibility=VISIBILITY, max_receive_count=MAX_RECEIVE_COUNT)
    variables = {
        **server.variables(server.postgresql.port),
        **aws.environment(),
        "DJANGO_SETTINGS_MODULE": "tests.aws_lambda.tasks.settings",
        "LAMBDA_DEADLINE_MARGIN": str(MARGIN),
        "LOG_LEVEL": "INFO",
        "TASK_QUEUE_URL": queue.url,
    }
    hows = [(number, how.get(number, "")) for number in range(tasks)]
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENQUEUE],
        input=json.dumps(hows),
        env={**variables, "PATH": os.environ["PATH"], "_HANDLER": "lambda_entry.http"},
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    assert queue.left() == tasks

    start = time.monotonic()
    workers = [Worker(variables) for _ in range(ENVIRONMENTS)]
    # An environment dies with the thread that started it, so each stays in its own.
    with ThreadPoolExecutor(ENVIRONMENTS) as pool:
        futures = [pool.submit(w.work, queue, start + TIMEOUT_SECONDS) for w in workers]
        for future in futures:
            future.result()
    took = time.monotonic() - start

    runs = Counter(number for (number,) in server.ask("SELECT number FROM runs"))
    dead = {message["args"][0] for message in queue.dead()}
    hopeless = {number for number, what in how.items() if what.endswith("always")}
    lines = [
        json.loads(line)
        for worker in workers
        for line in worker.log.splitlines()
        if line.startswith("{")
    ]
    logged = Counter(line["outcome"] for line in lines if "outcome" in line)
    lost = Counter(kind for worker in workers for kind in worker.lost)
    rows = server.ask(
        "SELECT id::text, args->>0, status, jsonb_array_length(worker_ids) "
        "FROM lambda_task_results_storedtask"
    )
    print(
        f"{tasks} tasks in {took:.0f} s: {len(runs)} succeeded, {len(dead)} dead, "
        f"outcomes {dict(logged)}, environments lost {dict(lost)}"
    )

    assert queue.left() == 0
    # Those that can succeed did, exactly once; the others never.
    assert runs == {n: 1 for n in range(tasks) if n not in hopeless}
    assert dead == hopeless
    given_up = {
        line["task_id"]
        for line in lines
        if line["level"] == "ERROR" and "to the dead-letter queue" in line["message"]
    }
    for task, number, status, attempts in rows:
        what = how.get(int(number), "")
        if int(number) not in hopeless:
            assert (number, status) == (number, "SUCCESSFUL")
        elif what == "fail always":
            assert (number, status) == (number, "FAILED")
            assert task in given_up
        else:
            # The last environment may have ended before it could store it.
            assert status != "SUCCESSFUL"
        assert 1 <= attempts <= MAX_RECEIVE_COUNT
    # Nothing ended an environment but the tasks that end their process.
    always = sum(what == "exit always" for what in how.values())
    once = sum(what == "kill" for what in how.values())
    assert set(lost) == {"Runtime.ExitError"}
    assert once + 1 <= lost.total() <= once + always * MAX_RECEIVE_COUNT
