"""
A backend for Django's tasks: the SQS queue that the tasks function reads.

https://docs.djangoproject.com/en/6.1/topics/tasks/ and docs/tasks.md
"""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.db import DEFAULT_DB_ALIAS, connections
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.exceptions import InvalidTask
from django.utils import timezone
from django.utils.module_loading import import_string

from ..aws.limits import MAX_SQS_DELAY_SECONDS, MAX_SQS_MESSAGE_BYTES
from ..invocation import request_id
from .message import Message, encode
from .outbox import deliver, deliver_after_commit, seconds_until_due
from .result_store import NoResults


class SQSBackend(BaseTaskBackend):
    """
    Enqueue tasks on SQS.

    OPTIONS has the URL of each queue by its name, in ``URLS``. In a transaction the
    message leaves after the commit, unless ``AFTER_COMMIT`` is False. ``RESULTS``
    keeps what becomes of each task in the database. On a FIFO queue, tasks with
    the same message group run one after the other: ``MESSAGE_GROUP`` is the dotted
    path of a function that returns it for a TaskResult; otherwise it is the path
    of the task.
    """

    supports_defer = True
    supports_async_task = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.urls: dict[str, str] = self.options.get("URLS", {})
        self.after_commit: bool = self.options.get("AFTER_COMMIT", True)
        self.supports_get_result = self.options.get("RESULTS", False)

    def validate_task(self, task: Task) -> None:
        super().validate_task(task)
        url = self.urls.get(task.queue_name)
        if not url:
            raise InvalidTask(f"Queue '{task.queue_name}' has no URL in OPTIONS.")
        if task.run_after is None:
            return
        if is_fifo(url):
            raise InvalidTask(
                f"Queue '{task.queue_name}' is a FIFO queue, which delays no single "
                "message: run_after is not possible."
            )
        if seconds_until_due(task) > MAX_SQS_DELAY_SECONDS:
            raise InvalidTask(
                "SQS delays a message by 15 minutes at most, and run_after is later. "
                "Let a schedule enqueue the task."
            )

    def enqueue(
        self, task: Task, args: list[Any], kwargs: dict[str, Any]
    ) -> TaskResult:
        self.validate_task(task)
        result: TaskResult = TaskResult(
            task=task,
            id=str(uuid4()),
            status=TaskResultStatus.READY,
            enqueued_at=timezone.now(),
            started_at=None,
            last_attempted_at=None,
            finished_at=None,
            args=args,
            kwargs=kwargs,
            backend=self.alias,
            errors=[],
            worker_ids=[],
        )
        self.send(result, store=self.supports_get_result)
        return result

    def send(self, result: TaskResult, *, store: bool = False) -> None:
        """Send the message of a task, now or after the commit."""
        body = encode(Message(result, request_id.get()))
        # As ASCII, it has as many bytes as characters.
        if len(body) > MAX_SQS_MESSAGE_BYTES:
            raise ValueError(
                f"The message of {result.task.module_path} is {len(body):,} bytes, and "
                f"SQS takes {MAX_SQS_MESSAGE_BYTES:,}. Store what is large, and pass "
                "its key."
            )
        if store:
            self.store.add(result)
        letter = result, body, self.fifo(result)
        connection = connections[DEFAULT_DB_ALIAS]
        if self.after_commit and connection.in_atomic_block:
            deliver_after_commit(connection, self, letter)
        else:
            deliver(self, [letter])

    def fifo(self, result: TaskResult) -> dict[str, str]:
        """Return what a FIFO queue wants to know besides the body."""
        if not is_fifo(self.urls[result.task.queue_name]):
            return {}
        group: Callable[[TaskResult], str] | None = None
        if path := self.options.get("MESSAGE_GROUP"):
            group = import_string(path)
        return {
            "MessageGroupId": group(result) if group else result.task.module_path,
            # SQS drops a second one of the same ID for five minutes, and an operator
            # may enqueue a task again before that.
            "MessageDeduplicationId": f"{result.id}-{len(result.worker_ids)}",
        }

    def get_result(self, result_id: str) -> TaskResult:
        if not self.supports_get_result:
            return super().get_result(result_id)  # says that it cannot
        found: TaskResult = self.store.get(result_id)
        return found

    @property
    def store(self) -> Any:
        """Return what keeps results. It has models: not before setup."""
        if not self.supports_get_result:
            return NoResults
        from .results import store

        return store


def is_fifo(url: str) -> bool:
    # SQS requires the suffix of FIFO queues, and of no others.
    return url.endswith(".fifo")
