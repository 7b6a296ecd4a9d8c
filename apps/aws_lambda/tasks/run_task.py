"""One attempt at one task, as Django's Task API describes it."""

import asyncio
from collections.abc import Callable
from functools import partial
from threading import Event
from traceback import format_exception
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.tasks import TaskContext, TaskResult, TaskResultStatus
from django.tasks.base import TaskError
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from django.utils.json import normalize_json

from ..deadline import DeadlineExceeded
from ..observability.formatters import text

# Seconds for a coroutine to end when it is cancelled.
PATIENCE = 0.2


def run(
    result: TaskResult,
    worker: str,
    *,
    attempts: int,
    begin: Callable[[TaskResult], object],
    last: Callable[[], bool],
) -> BaseException | None:
    """
    Run the task, and return what it raised, or None.

    Whatever it raises is caught, so that SystemExit does not end the environment.
    A task that will be tried again is READY, and FAILED only after its ``last``
    attempt. ``begin`` stores that it is begun, and what it raises is raised. How it
    ended is for the caller to store. ``attempts`` counts this one; nobody knows who
    made the others, where they are not stored.
    """
    now = timezone.now()
    missing = attempts - 1 - len(result.worker_ids)
    result.worker_ids.extend([""] * missing)
    result.worker_ids.append(worker)
    started_at = result.started_at or now
    update(result, "RUNNING", started_at=started_at, last_attempted_at=now)
    begin(result)
    try:
        # Its receivers are the project's, like the task.
        task_started.send(sender=backend_of(result), task_result=result)
        value = normalize_json(call(result))
    except BaseException as error:
        result.errors.append(describe(error))
        if last():
            update(result, "FAILED", finished_at=timezone.now())
        else:
            update(result, "READY")
        return error
    update(result, "SUCCESSFUL", finished_at=timezone.now(), _return_value=value)
    return None


def announce(result: TaskResult, error: BaseException | None) -> None:
    """Tell the receivers of task_finished, which are the project's, and may raise."""
    if not result.is_finished:
        return
    send = partial(task_finished.send, backend_of(result), task_result=result)
    if error is None:
        send()
        return
    traceback = error.__traceback__
    try:
        raise error
    except BaseException:
        # Django's own receiver logs the exception that is being handled.
        send()
    finally:
        # Without these lines.
        error.__traceback__ = traceback


def backend_of(result: TaskResult) -> type:
    return type(result.task.get_backend())


def call(result: TaskResult) -> Any:
    task = result.task
    context: list[Any] = [TaskContext(task_result=result)] if task.takes_context else []
    args = [*context, *result.args]
    if iscoroutinefunction(task.func):
        return call_async(task.func, args, result.kwargs)
    return task.func(*args, **result.kwargs)


def call_async(
    function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]
) -> Any:
    """Run a coroutine to its end, and no further if this thread is interrupted."""
    # asgiref runs it in a thread of its own, where the interrupt does not arrive.
    running: list[tuple[asyncio.AbstractEventLoop, Any]] = []
    ended = Event()

    async def until_cancelled() -> Any:
        running.append((asyncio.get_running_loop(), asyncio.current_task()))
        try:
            return await function(*args, **kwargs)
        finally:
            ended.set()

    try:
        return async_to_sync(until_cancelled)()
    except DeadlineExceeded:
        for loop, task in running:
            if not ended.is_set():
                loop.call_soon_threadsafe(task.cancel)
                ended.wait(PATIENCE)
        raise


def describe(error: BaseException) -> TaskError:
    kind = type(error)
    # PostgreSQL stores any text but this.
    traceback = text("".join(format_exception(error))).replace("\0", "\\x00")
    return TaskError(
        exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
        traceback=traceback,
    )


def update(result: TaskResult, status: str, **changes: Any) -> None:
    # Django freezes it against others than the backend, which does the same.
    object.__setattr__(result, "status", TaskResultStatus(status))
    for name, value in changes.items():
        object.__setattr__(result, name, value)
