"""Read and write the results of tasks, for the backend and for the consumer."""

import logging
import math
import re
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.tasks import TaskResult, TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist
from django.utils import timezone

from ...deadline import DeadlineExceeded
from ..outcomes import Busy, Skipped
from .models import StoredTask

logger = logging.getLogger(__name__)

UNSTORABLE = "NUL, unpaired surrogates, NaN, infinity and integers of 4,000 digits"
SURROGATE = re.compile("[\ud800-\udfff]")
OUT_OF_TIME = f"{DeadlineExceeded.__module__}.{DeadlineExceeded.__qualname__}"


def add(result: TaskResult, until: datetime | None = None) -> None:
    """
    Store a new task, which an invocation runs until ``until`` if that is given.

    Raises ValueError if its arguments cannot be stored.
    """
    if not storable([result.args, result.kwargs]):
        raise ValueError(
            f"Cannot store the arguments of {result.task.module_path}: PostgreSQL "
            f"rejects {UNSTORABLE}. Encode them, for example with base64, or turn "
            "RESULTS off."
        )
    fields = {
        "id": result.id,
        "task_path": result.task.module_path,
        "queue_name": result.task.queue_name,
        "backend": result.backend,
        "args": result.args,
        "kwargs": result.kwargs,
        "run_after": result.task.run_after,
        "enqueued_at": result.enqueued_at,
    }
    StoredTask.objects.create(**fields, **_progress(result, until))


def get(result_id: str) -> TaskResult:
    """
    Return the stored result.

    Raises TaskResultDoesNotExist if it does not exist or cannot be read.
    """
    try:
        stored = StoredTask.objects.get(id=UUID(result_id))
    except (AttributeError, TypeError, ValueError, StoredTask.DoesNotExist):
        raise TaskResultDoesNotExist(result_id) from None
    return stored.result()


def recall(results: Iterable[TaskResult]) -> dict[str, Exception]:
    """
    Add to each result what is stored of its earlier attempts, with one query.

    Returns, by the ID of a result, why its row could not be read.
    """
    by_id = {UUID(result.id): result for result in results}
    stored_tasks = StoredTask.objects.in_bulk([*by_id])
    failures: dict[str, Exception] = {}
    for result in results:
        if stored := stored_tasks.get(UUID(result.id)):
            try:
                _recall(result, stored)
            except Exception as error:
                failures[result.id] = error
    return failures


def _recall(result: TaskResult, stored: StoredTask) -> None:
    for name, value in stored.progress().items():
        object.__setattr__(result, name, value)


def interrupted_attempts(result: TaskResult) -> int:
    """
    Return the number of attempts so far if the last one was interrupted, or 0.

    It was if it is still RUNNING, because its process ended, or if the deadline
    interrupted it. ``result`` is as ``recall`` left it.
    """
    last_errors = [error.exception_class_path for error in result.errors[-1:]]
    if result.status == TaskResultStatus.RUNNING or OUT_OF_TIME in last_errors:
        return len(result.worker_ids)
    return 0


def begin(
    result: TaskResult, previous: datetime | None, until: datetime
) -> Skipped | Busy | None:
    """
    Store that the task runs, and that only this invocation may run it ``until`` then.

    SQS may deliver a message twice, even at the same time. Returns why this copy must
    not run: the task has succeeded, another copy runs, or one has run since the last
    attempt, ``previous``, was recalled.
    """
    now = timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    same = _unfinished(result).filter(free, last_attempted_at=previous)
    if same.update(**_progress(result, until)):
        return None
    stored = StoredTask.objects.filter(id=result.id).first()
    if stored is None:
        # Pruned meanwhile, or enqueued by a process without this app.
        add(result, until)
        return None
    if stored.status == TaskResultStatus.SUCCESSFUL:
        return Skipped()
    return Busy(stored.claimed_until or now)


def save(result: TaskResult) -> bool:
    """
    Store the result, and return whether that was done: success is final.

    A return value that cannot be stored becomes None, because the work is done.
    """
    if not storable(getattr(result, "_return_value", None)):
        logger.error(
            "Cannot store what the task %s %s returned: PostgreSQL rejects %s.",
            result.task.module_path,
            result.id,
            UNSTORABLE,
        )
        object.__setattr__(result, "_return_value", None)
    return _unfinished(result).update(**_progress(result)) > 0


def storable(value: Any) -> bool:
    """Return whether PostgreSQL stores the value, which Python can write as JSON."""
    # https://www.postgresql.org/docs/current/datatype-json.html
    if isinstance(value, dict):
        return all(map(storable, [*value, *value.values()]))
    if isinstance(value, list):
        return all(map(storable, value))
    if isinstance(value, str):
        return "\0" not in value and not SURROGATE.search(value)
    if isinstance(value, float):
        return math.isfinite(value)
    # Python itself writes no longer integer.
    return not isinstance(value, int) or value.bit_length() < 14_000


def _unfinished(result: TaskResult) -> "QuerySet[StoredTask]":
    others = StoredTask.objects.exclude(status=TaskResultStatus.SUCCESSFUL)
    return others.filter(id=result.id)


def _progress(result: TaskResult, until: datetime | None = None) -> dict[str, Any]:
    """Return what changes. Not the arguments: a task may change its own copy."""
    return {
        "status": result.status,
        "started_at": result.started_at,
        "last_attempted_at": result.last_attempted_at,
        "finished_at": result.finished_at,
        "claimed_until": until,
        "worker_ids": result.worker_ids,
        "errors": [asdict(error) for error in result.errors],
        # Its property raises before the task has succeeded.
        "return_value": getattr(result, "_return_value", None),
    }


def enqueue_again(stored: StoredTask) -> None:
    """
    Send the message of a stored task once more, with the same ID.

    If the first message still exists, the task runs once: the second is skipped. Raises
    TaskResultDoesNotExist if the row cannot be read, ValueError if its task has
    succeeded, and what the backend's ``send`` raises.
    """
    result = stored.result()
    send = getattr(result.task.get_backend(), "send", None)
    if send is None:
        raise ValueError(f"The backend {stored.backend!r} is not an SQSBackend.")
    object.__setattr__(result, "status", TaskResultStatus.READY)
    object.__setattr__(result, "finished_at", None)
    send(result, _save_ready)


def _save_ready(result: TaskResult) -> None:
    if not save(result):
        raise ValueError("The task has succeeded, or was deleted, meanwhile.")
