"""Messages on their way to SQS: those of one transaction together, after its commit."""

import logging
import math
import os
from collections import defaultdict
from typing import Any, Protocol

from django.db.backends.base.base import BaseDatabaseWrapper
from django.tasks import Task, TaskResult
from django.tasks.exceptions import TaskException
from django.tasks.signals import task_enqueued
from django.utils import timezone

from ..aws import sqs
from ..aws.limits import MAX_SQS_DELAY_SECONDS

logger = logging.getLogger(__name__)

UNKNOWN = "interrupted before SQS had answered"

# A task, its message, and what a FIFO queue wants to know.
Letter = tuple[TaskResult, str, dict[str, str]]


class Sender(Protocol):
    """The backend, as far as it matters here."""

    urls: dict[str, str]


class NotEnqueued(TaskException):
    """SQS did not take the messages of some tasks, whose ``results`` are here."""

    def __init__(self, message: str, results: list[TaskResult]) -> None:
        super().__init__(message)
        self.results = results


class Departure:
    """
    The sending of what a transaction has enqueued, as a callback of its commit.

    There is one behind each letter; those that are followed by another do nothing.
    So all leave together and in order, after the callbacks that others registered
    before, and before those that they registered later.
    """

    def __init__(self, backend: Sender, letters: list[Letter]) -> None:
        self.backend = backend
        self.letters = letters
        self.followed = False

    def __call__(self) -> None:
        if not self.followed:
            letters = [*self.letters]
            self.letters.clear()
            deliver(self.backend, letters)


def deliver_after_commit(
    connection: BaseDatabaseWrapper, backend: Sender, letter: Letter
) -> None:
    """Send the message with others of its transaction, if its savepoint is kept."""
    committed: list[Letter] = []
    callbacks: list[Any] = connection.run_on_commit
    if callbacks:
        _, latest, _ = callbacks[-1]
        # Before the commit only a test puts letters there, and may go back on it.
        if (
            isinstance(latest, Departure)
            and latest.backend is backend
            and not latest.letters
        ):
            latest.followed = True
            committed = latest.letters
    held = [letter]

    def commit() -> None:
        # Tests may call a callback more than once.
        committed.extend(held)
        held.clear()

    # Django forgets this one with the savepoint, and the departure only with the
    # transaction, as it is also for the letters of others. What fails there has
    # been logged, and stops no other callback.
    connection.on_commit(commit)
    callbacks.append((set(), Departure(backend, committed), True))


def deliver(backend: Sender, letters: list[Letter]) -> None:
    """
    Send the messages; in the end raise NotEnqueued, if some did not go.

    Whatever interrupts it, each that is not known to have gone is in the log.
    """
    by_queue: defaultdict[str, list[Letter]] = defaultdict(list)
    for letter in letters:
        by_queue[letter[0].task.queue_name].append(letter)
    reasons = {letter[0].id: UNKNOWN for letter in letters}
    try:
        for name, group in by_queue.items():
            entries = [_entry(letter) for letter in group]
            for number, reason in sqs.send(backend.urls[name], entries):
                reasons[group[number][0].id] = reason
    finally:
        lost = [result for result, _, _ in letters if reasons[result.id]]
        for result in lost:
            logger.error(
                "The task %s %s was not enqueued: %s",
                result.task.module_path,
                result.id,
                reasons[result.id],
                extra={"task": result.task.module_path},
            )
    # Receivers are the project's. One that raises is in Django's log: who enqueued
    # would take it for a message that did not go, and send another.
    for result, _, _ in letters:
        if not reasons[result.id]:
            task_enqueued.send_robust(type(backend), task_result=result)
    if lost:
        raise NotEnqueued(
            f"{len(lost)} of {len(letters)} tasks were not enqueued. "
            f"{lost[0].task.module_path}: {reasons[lost[0].id]}",
            lost,
        )


def _entry(letter: Letter) -> sqs.Entry:
    result, body, fifo = letter
    delay = _delay(seconds_until_due(result.task))
    return {"MessageBody": body, **fifo, **delay, **_trace()}


def seconds_until_due(task: Task) -> int:
    """Return how long from now the task is to wait."""
    if task.run_after is None:
        return 0
    return max(0, math.ceil((task.run_after - timezone.now()).total_seconds()))


def _delay(seconds: int) -> dict[str, int]:
    # Not even 0 is allowed on a FIFO queue.
    return {"DelaySeconds": min(seconds, MAX_SQS_DELAY_SECONDS)} if seconds else {}


def _trace() -> dict[str, Any]:
    """Let X-Ray continue this trace when the message is received."""
    # https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
    header = os.environ.get("_X_AMZN_TRACE_ID")
    if not header:
        return {}
    value = {"DataType": "String", "StringValue": header}
    return {"MessageSystemAttributes": {"AWSTraceHeader": value}}
