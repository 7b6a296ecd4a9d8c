"""Send messages to SQS: those of one transaction together, after its commit."""

import logging
import math
import os
from collections import defaultdict
from typing import Any, NamedTuple, Protocol

from django.db.backends.base.base import BaseDatabaseWrapper
from django.tasks import Task, TaskResult
from django.tasks.exceptions import TaskException
from django.tasks.signals import task_enqueued
from django.utils import timezone

from ..aws import sqs
from ..aws.limits import MAX_SQS_DELAY_SECONDS

logger = logging.getLogger(__name__)

NO_RESPONSE = "interrupted before SQS responded"


class OutgoingMessage(NamedTuple):
    """A task, its message body, and the parameters that a FIFO queue requires."""

    result: TaskResult
    body: str
    fifo_parameters: dict[str, str]


class Sender(Protocol):
    """The part of the backend that is needed here."""

    urls: dict[str, str]


class NotEnqueued(TaskException):
    """SQS did not accept the messages of some tasks, whose ``results`` are here."""

    def __init__(self, message: str, results: list[TaskResult]) -> None:
        super().__init__(message)
        self.results = results


class SendOnCommit:
    """
    A callback of a commit that sends what the transaction has enqueued.

    Each message adds one; a callback that another one replaces does nothing. So all
    messages are sent together and in order: after the callbacks that the project
    registered before them, and before those that it registered later.
    """

    def __init__(self, backend: Sender, messages: list[OutgoingMessage]) -> None:
        self.backend = backend
        self.messages = messages
        self.replaced = False

    def __call__(self) -> None:
        if not self.replaced:
            messages = [*self.messages]
            self.messages.clear()
            send(self.backend, messages)


def send_on_commit(
    connection: BaseDatabaseWrapper, backend: Sender, message: OutgoingMessage
) -> None:
    """Send the message with the others of its transaction, after the commit."""
    committed: list[OutgoingMessage] = []
    callbacks: list[Any] = connection.run_on_commit
    if callbacks:
        _, latest, _ = callbacks[-1]
        # Before the commit only a test adds messages to the list, and it may not
        # commit.
        if (
            isinstance(latest, SendOnCommit)
            and latest.backend is backend
            and not latest.messages
        ):
            latest.replaced = True
            committed = latest.messages
    pending = [message]

    def commit() -> None:
        # A test may call a callback more than once.
        committed.extend(pending)
        pending.clear()

    # A rollback to a savepoint drops the first callback. It must not drop the second,
    # which other messages need too, so that one belongs to no savepoint. It is robust:
    # its exceptions have been logged, and stop no other callback.
    connection.on_commit(commit)
    callbacks.append((set(), SendOnCommit(backend, committed), True))


def send(backend: Sender, messages: list[OutgoingMessage]) -> None:
    """
    Send the messages, and log each that SQS may not have.

    Raises NotEnqueued in the end if some were not sent. Any other exception, such as
    an interrupt, escapes after the log lines.
    """
    by_queue: defaultdict[str, list[OutgoingMessage]] = defaultdict(list)
    for message in messages:
        by_queue[message.result.task.queue_name].append(message)
    errors = {message.result.id: NO_RESPONSE for message in messages}
    try:
        for name, group in by_queue.items():
            entries = [_entry(message) for message in group]
            for number, error in sqs.send(backend.urls[name], entries):
                errors[group[number].result.id] = error
    finally:
        lost = [message.result for message in messages if errors[message.result.id]]
        for result in lost:
            logger.error(
                "The task %s %s was not enqueued: %s",
                result.task.module_path,
                result.id,
                errors[result.id],
                extra={"task": result.task.module_path},
            )
    # Receivers belong to the project. Django logs one that raises: if it escaped, the
    # caller would conclude that the task was not enqueued, and enqueue another.
    for message in messages:
        if not errors[message.result.id]:
            task_enqueued.send_robust(type(backend), task_result=message.result)
    if lost:
        raise NotEnqueued(
            f"{len(lost)} of {len(messages)} tasks were not enqueued. "
            f"{lost[0].task.module_path}: {errors[lost[0].id]}",
            lost,
        )


def _entry(message: OutgoingMessage) -> sqs.Entry:
    return {
        "MessageBody": message.body,
        **message.fifo_parameters,
        **_delay(seconds_until_due(message.result.task)),
        **_trace(),
    }


def seconds_until_due(task: Task) -> int:
    """Return the seconds until the task's run_after, or 0."""
    if task.run_after is None:
        return 0
    return max(0, math.ceil((task.run_after - timezone.now()).total_seconds()))


def _delay(seconds: int) -> dict[str, int]:
    # A FIFO queue rejects the parameter, even if it is 0.
    return {"DelaySeconds": min(seconds, MAX_SQS_DELAY_SECONDS)} if seconds else {}


def _trace() -> dict[str, Any]:
    """Return the parameter with which X-Ray continues this trace in the consumer."""
    # https://docs.aws.amazon.com/xray/latest/devguide/xray-services-sqs.html
    header = os.environ.get("_X_AMZN_TRACE_ID")
    if not header:
        return {}
    value = {"DataType": "String", "StringValue": header}
    return {"MessageSystemAttributes": {"AWSTraceHeader": value}}
