"""Read and write the results of tasks, for the backend and for the consumer."""

import logging
import math
import re
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.tasks import TaskResult, TaskResultStatus
from django.tasks.exceptions import TaskResultDoesNotExist
from django.utils import timezone

from ...deadline import DeadlineExceeded
from ..result_store import Busy
from .models import StoredTask

logger = logging.getLogger(__name__)

REFUSED = "NUL, half surrogate pair, NaN, infinity or number of thousands of digits"
SURROGATE = re.compile("[\ud800-\udfff]")
OUT_OF_TIME = f"{DeadlineExceeded.__module__}.{DeadlineExceeded.__qualname__}"


def add(result: TaskResult) -> None:
    """Store a task that was just enqueued. ValueError if its arguments cannot be."""
    if not storable([result.args, result.kwargs]):
        raise ValueError(
            f"The arguments of {result.task.module_path} cannot be stored: PostgreSQL "
            f"takes no {REFUSED}. Encode them, as with base64, or turn RESULTS off."
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
    StoredTask.objects.create(**fields, **_progress(result))


def get(result_id: str) -> TaskResult:
    """Return what is known of a task. Raise TaskResultDoesNotExist if nothing is."""
    try:
        stored = StoredTask.objects.get(id=UUID(result_id))
    except (AttributeError, TypeError, ValueError, StoredTask.DoesNotExist):
        raise TaskResultDoesNotExist(result_id) from None
    return stored.result()


def recall(result: TaskResult) -> bool:
    """Add what is known of earlier attempts; tell whether the task is to be run."""
    stored = StoredTask.objects.filter(id=result.id).first()
    if stored is None:
        # Pruned meanwhile, or enqueued by a process without this app.
        add(result)
        return True
    if stored.status == TaskResultStatus.SUCCESSFUL:
        return False
    result.worker_ids[:] = stored.worker_ids
    object.__setattr__(result, "started_at", stored.started_at)
    known = stored.result().errors
    result.errors[:] = known
    return True


def begin(result: TaskResult, until: datetime) -> None:
    """
    Store that the task is begun, and by this invocation alone ``until`` it ends.

    SQS may deliver a message twice, and both at once. Raises Busy for the second.
    """
    now = timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lte=now)
    mine = _unfinished(result).filter(free)
    if not mine.update(**_progress(result) | {"claimed_until": until}):
        other = StoredTask.objects.filter(id=result.id).first()
        raise Busy((other and other.claimed_until) or now)


def save(result: TaskResult) -> bool:
    """
    Store how a task is now; tell whether that was done. Success is final.

    A value that cannot be stored is None afterwards: the work is done.
    """
    if not storable(getattr(result, "_return_value", None)):
        logger.error(
            "What the task %s %s returned cannot be stored: PostgreSQL takes no %s.",
            result.task.module_path,
            result.id,
            REFUSED,
        )
        object.__setattr__(result, "_return_value", None)
    return _unfinished(result).update(**_progress(result)) > 0


def ended_badly(result: TaskResult) -> int:
    """
    Return how often the task was begun, if the last time was not ended by itself.

    Its environment ended with it, or it ran out of time; otherwise return 0.
    """
    stored = StoredTask.objects.filter(id=result.id).first()
    if stored is None:
        return 0
    errors = [error["exception_class_path"] for error in stored.errors]
    if stored.status == TaskResultStatus.RUNNING or OUT_OF_TIME in errors[-1:]:
        return len(stored.worker_ids)
    return 0


def storable(value: Any) -> bool:
    """Tell whether PostgreSQL, which is pickier than Python's JSON, stores it."""
    # https://www.postgresql.org/docs/current/datatype-json.html
    if isinstance(value, dict):
        return all(map(storable, [*value, *value.values()]))
    if isinstance(value, list):
        return all(map(storable, value))
    if isinstance(value, str):
        return "\0" not in value and not SURROGATE.search(value)
    if isinstance(value, float):
        return math.isfinite(value)
    # Python itself writes no longer one.
    return not isinstance(value, int) or value.bit_length() < 14_000


def _unfinished(result: TaskResult) -> "QuerySet[StoredTask]":
    others = StoredTask.objects.exclude(status=TaskResultStatus.SUCCESSFUL)
    return others.filter(id=result.id)


def _progress(result: TaskResult) -> dict[str, Any]:
    """Return what changes. Not the arguments: a task may change its own copy."""
    return {
        "status": result.status,
        "started_at": result.started_at,
        "last_attempted_at": result.last_attempted_at,
        "finished_at": result.finished_at,
        "claimed_until": None,
        "worker_ids": result.worker_ids,
        "errors": [asdict(error) for error in result.errors],
        # Its property raises before the task has succeeded.
        "return_value": getattr(result, "_return_value", None),
    }


def enqueue_again(stored: StoredTask) -> None:
    """
    Send the message of a stored task once more, with the same ID.

    If the first is still somewhere, the one that comes second finds it done.
    """
    result = stored.result()
    send = getattr(result.task.get_backend(), "send", None)
    if send is None:
        raise ValueError(f"The backend {stored.backend!r} has no queue.")
    object.__setattr__(result, "status", TaskResultStatus.READY)
    object.__setattr__(result, "finished_at", None)
    if not save(result):
        raise ValueError("It has succeeded, or was deleted, meanwhile.")
    send(result)
