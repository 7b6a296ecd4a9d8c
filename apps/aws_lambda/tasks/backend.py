"""
A backend for Django's tasks: an SQS queue that the tasks function consumes.

https://docs.djangoproject.com/en/6.1/topics/tasks/ and docs/tasks.md
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.tasks import Task, TaskResult, TaskResultStatus
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.exceptions import InvalidTask
from django.utils import timezone
from django.utils.module_loading import import_string

from .. import conf
from ..aws.limits import MAX_SQS_DELAY_SECONDS, MAX_SQS_MESSAGE_BYTES
from ..invocation import chain_length, request_id
from . import registry
from .message import Enqueued, encode
from .outbox import OutgoingMessage, seconds_until_due, send, send_on_commit
from .result_store import NoResults, ResultStore

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

logger = logging.getLogger(__name__)

OPTIONS = {"AFTER_COMMIT", "MESSAGE_GROUP", "RESULTS", "URLS"}
# The path of a queue URL: account and name.
QUEUE_PATH = re.compile(r"/\w+/[\w-]{1,80}(\.fifo)?")
RESULTS_APP = f"{__package__}.results"
# Django reads arguments with a function that calls itself at each level, and Python
# allows 1,000 calls.
MAX_ARGUMENT_LEVELS = 500


class SQSBackend(BaseTaskBackend):
    """
    Enqueue tasks on SQS.

    The options are in docs/tasks.md. ``URLS`` has the URL of each queue by its name.
    In a transaction the message is sent after the commit, unless ``AFTER_COMMIT`` is
    False. ``RESULTS`` keeps results in the database. ``MESSAGE_GROUP`` is the dotted
    path of a function that takes a TaskResult and returns its message group on a FIFO
    queue, which runs the tasks of a group one after the other; by default it is the
    path of the task.
    """

    supports_defer = True
    supports_async_task = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.urls: dict[str, str] = self.options.get("URLS", {})
        self.after_commit: bool = self.options.get("AFTER_COMMIT", True)
        self.supports_get_result = self.options.get("RESULTS", False)

    def check(self, **kwargs: Any) -> "list[CheckMessage]":
        """Report options with which tasks could not be enqueued (docs/checks.md)."""
        # Only management commands run checks.
        from django.core.checks import Error as CheckError

        return [
            CheckError(
                f"TASKS[{self.alias!r}]: {problem}", hint=hint, id="aws_lambda.E017"
            )
            for problem, hint in self._wrong_options()
        ]

    def _wrong_options(self) -> Iterator[tuple[str, str]]:
        for name in sorted(set(self.options) - OPTIONS):
            yield (
                f"unknown option {name!r}.",
                f"The options are {', '.join(sorted(OPTIONS))}.",
            )
        for name in sorted(self.queues - set(self.urls)):
            yield (
                f"the queue {name!r} has no URL.",
                "Add it to OPTIONS['URLS'], or remove the queue from QUEUES.",
            )
        for name, url in sorted(self.urls.items()):
            parts = urlsplit(str(url))
            if parts.scheme in ("http", "https") and QUEUE_PATH.fullmatch(parts.path):
                continue
            yield (
                f"the URL of the queue {name!r} is not an SQS queue URL: {url!r}.",
                "Use https://sqs.<region>.amazonaws.com/<account>/<name>.",
            )
        path = self.options.get("MESSAGE_GROUP")
        if path and not _is_function(path):
            yield (
                f"MESSAGE_GROUP is not the dotted path of a function: {path!r}.",
                "The function takes a TaskResult and returns its message group.",
            )
        if self.supports_get_result and not apps.is_installed(RESULTS_APP):
            yield (
                f"RESULTS needs the app {RESULTS_APP!r}, which is not installed.",
                "Add it to INSTALLED_APPS, and run: manage.py migrate",
            )

    def validate_task(self, task: Task) -> None:
        super().validate_task(task)
        url = self.urls.get(task.queue_name)
        if not url:
            raise InvalidTask(
                f"Queue '{task.queue_name}' has no URL in the OPTIONS of "
                f"TASKS[{self.alias!r}]."
            )
        if task.run_after is None:
            return
        if is_fifo(url):
            raise InvalidTask(
                f"Queue '{task.queue_name}' is a FIFO queue, which cannot delay single "
                "messages: do not use run_after."
            )
        if seconds_until_due(task) > MAX_SQS_DELAY_SECONDS:
            raise InvalidTask(
                "SQS delays a message by 15 minutes at most, and run_after is later. "
                "Enqueue the task from a schedule instead."
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
        self.send(result, self.store.add)
        return result

    def send(self, result: TaskResult, store: Callable[[TaskResult], object]) -> None:
        """
        Store a task, and send its message, now or after the commit.

        Raises InvalidTask or ValueError, and does not store the task, if the tasks
        function could not read the message back.
        """
        path = result.task.module_path
        if not registry.finds(result.task):
            raise InvalidTask(
                f"The tasks function could not find {path}, so it was not enqueued. "
                "Define it with @task, under the name of its function, at the top "
                "level of a module of an app in INSTALLED_APPS "
                "(docs/tasks.md#which-tasks-are-run)."
            )
        if is_nested_deeper([result.args, result.kwargs], MAX_ARGUMENT_LEVELS):
            raise ValueError(
                f"The arguments of {path} are nested more than {MAX_ARGUMENT_LEVELS} "
                "levels deep, and the tasks function could not read them back. Store "
                "them, and pass their key."
            )
        length, limit = chain_length.get() + 1, conf.get("LAMBDA_TASK_CHAIN_LIMIT")
        if length > limit:
            error = (
                f"{path} was not enqueued: it would be task {length} of a chain in "
                f"which each task enqueues the next, and LAMBDA_TASK_CHAIN_LIMIT is "
                f"{limit} (docs/tasks.md#chains-of-tasks)."
            )
            metrics = {"task": path, "metrics": {"TaskChainsRefused": 1}}
            logger.error(error, extra=metrics)
            raise InvalidTask(error)
        body = encode(Enqueued(result, request_id.get(), length))
        # It is ASCII: as many bytes as characters.
        if len(body) > MAX_SQS_MESSAGE_BYTES:
            raise ValueError(
                f"The message of {path} has {len(body):,} bytes; "
                f"SQS accepts {MAX_SQS_MESSAGE_BYTES:,}. Store large arguments, and "
                "pass their key."
            )
        message = OutgoingMessage(result, body, self.fifo_parameters(result))
        store(result)
        connection = connections[DEFAULT_DB_ALIAS]
        if self.after_commit and connection.in_atomic_block:
            send_on_commit(connection, self, message)
        else:
            send(self, [message])

    def fifo_parameters(self, result: TaskResult) -> dict[str, str]:
        """Return the parameters that a FIFO queue requires, or {}."""
        if not is_fifo(self.urls[result.task.queue_name]):
            return {}
        group: Callable[[TaskResult], str] | None = None
        if path := self.options.get("MESSAGE_GROUP"):
            group = import_string(path)
        return {
            "MessageGroupId": group(result) if group else result.task.module_path,
            # SQS drops a second message of the same ID for five minutes, and an
            # operator may enqueue a task again before that.
            "MessageDeduplicationId": f"{result.id}-{len(result.worker_ids)}",
        }

    def get_result(self, result_id: str) -> TaskResult:
        if not self.supports_get_result:
            return super().get_result(result_id)  # raises NotImplementedError
        from .results.store import get

        return get(result_id)

    @cached_property
    def store(self) -> ResultStore:
        """Return the result store, for the consumer too."""
        if not self.supports_get_result:
            return NoResults()
        # It has models, which cannot be imported before Django's setup.
        from .results import store

        return store


def is_nested_deeper(values: Iterable[Any], limit: int) -> bool:
    """Return whether lists and dicts are nested in more than ``limit`` levels."""
    for _ in range(limit + 1):
        containers = [value for value in values if isinstance(value, list | dict)]
        if not containers:
            return False
        values = [
            item
            for container in containers
            for item in (
                container.values() if isinstance(container, dict) else container
            )
        ]
    return True


def is_fifo(url: str) -> bool:
    # SQS requires the suffix of FIFO queues, and of no others.
    return url.endswith(".fifo")


def _is_function(path: str) -> bool:
    try:
        return callable(import_string(path))
    except ImportError:
        return False
