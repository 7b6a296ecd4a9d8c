"""A task as the body of a message."""

import json
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.tasks import Task, TaskResult, TaskResultStatus, task_backends
from django.tasks.exceptions import InvalidTask, InvalidTaskBackend
from django.utils.module_loading import import_string

from ..deadline import DeadlineExceeded


class BadMessage(ValueError):
    """A message that is no task which this project can run."""


class Message(NamedTuple):
    """
    A task to run, and the request that enqueued it, or "".

    ``result`` is as it was when it was enqueued.
    """

    result: TaskResult
    request_id: str


def encode(message: Message) -> str:
    """Return the body. Raise ValueError for what JSON does not have, such as NaN."""
    result, request_id = message
    run_after = result.task.run_after
    return json.dumps(
        {
            "id": result.id,
            "task": result.task.module_path,
            "backend": result.backend,
            "queue": result.task.queue_name,
            "args": result.args,
            "kwargs": result.kwargs,
            "enqueued_at": str(result.enqueued_at),
            "run_after": str(run_after) if run_after else None,
            "request_id": request_id,
        },
        # SQS does not take every character, but every escape.
        ensure_ascii=True,
        allow_nan=False,
        separators=(",", ":"),
    )


def decode(body: str) -> Message:
    """Return the task in a body. Raise BadMessage if it has none that can be run."""
    try:
        fields = json.loads(body)
        result_id = str(UUID(fields["id"]))
        path, backend = str(fields["task"]), str(fields["backend"])
        queue = str(fields["queue"])
        args, kwargs = [*fields["args"]], {**fields["kwargs"]}
        enqueued_at = datetime.fromisoformat(fields["enqueued_at"])
        after = fields["run_after"]
        run_after = datetime.fromisoformat(after) if after else None
        request_id = str(fields["request_id"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BadMessage(
            f"Its body is none that this backend wrote ({type(error).__name__})"
        ) from None
    result: TaskResult = TaskResult(
        task=_task(path, queue_name=queue, backend=backend, run_after=run_after),
        id=result_id,
        status=TaskResultStatus.READY,
        enqueued_at=enqueued_at,
        started_at=None,
        last_attempted_at=None,
        finished_at=None,
        args=args,
        kwargs=kwargs,
        backend=backend,
        errors=[],
        worker_ids=[],
    )
    return Message(result, request_id)


def _task(path: str, **changes: Any) -> Task:
    try:
        task = import_string(path)
    except DeadlineExceeded:
        raise
    except BaseException as error:
        # A module may end with anything, SystemExit included, and fails its own
        # tasks alone.
        raise BadMessage(
            f"There is no task {path!r} in this version ({type(error).__name__})"
        ) from error
    # Nothing else is ever called, whatever the message says.
    if not isinstance(task, Task):
        raise BadMessage(f"{path!r} is no task")
    try:
        task_backends[changes["backend"]]
        return task.using(**changes)
    except (InvalidTask, InvalidTaskBackend) as error:
        raise BadMessage(f"{path!r} cannot be run: {str(error).rstrip('.')}") from None
