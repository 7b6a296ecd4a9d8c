"""One attempt at the task in a message, and the log line with its metrics."""

import logging
import os
import time
from datetime import datetime
from functools import partial
from traceback import format_exception
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.db.transaction import TransactionManagementError
from django.tasks import TaskContext, TaskResult, TaskResultStatus
from django.tasks.base import TaskError
from django.tasks.signals import task_finished, task_started
from django.utils import timezone
from django.utils.json import normalize_json

from ..database.connections import (
    close_unusable_connections,
    discard_interrupted_connections,
    discard_open_transactions,
)
from ..deadline import DeadlineExceeded, cancel_coroutines, disarm, exceeded
from ..invocation import chain_length, invocation, request_id, task_id
from ..observability.formatters import text
from ..observability.queries import Queries, counted_queries
from .message import InvalidMessage, Message, decode
from .outcomes import (
    Busy,
    Ended,
    Failed,
    Outcome,
    OutOfTime,
    Refused,
    Skipped,
    Succeeded,
)
from .result_store import ResultStore

logger = logging.getLogger(__name__)


class Attempt:
    """
    An attempt at the task in a message.

    Before ``run``, the consumer calls ``decode`` and lets the result store ``recall``
    the task; ``store_error`` is the exception if that failed. ``max_receive_count`` is
    the queue's, or None if it is not known.
    """

    def __init__(self, message: Message, max_receive_count: int | None) -> None:
        self.message = message
        self.max_receive_count = max_receive_count
        self.result: TaskResult | None = None
        self.request_id = ""
        self.chain_length = 0
        # Why there is no result.
        self.invalid = InvalidMessage("it was not decoded")
        self.store_error: Exception | None = None

    def decode(self) -> None:
        """Read the task in the message, if it has one that can be run."""
        try:
            self.result, self.request_id, self.chain_length = decode(self.message.body)
        except InvalidMessage as error:
            self.invalid = error

    @property
    def is_last(self) -> bool:
        """Return whether SQS does not deliver the message again after a failure."""
        limit = self.max_receive_count
        return limit is not None and self.message.receive_count >= limit

    @property
    def next_step(self) -> str:
        """Describe for the log what SQS does if this attempt fails."""
        number = f"Attempt {self.message.receive_count}"
        if self.max_receive_count is not None:
            number = f"{number} of {self.max_receive_count}"
        if self.is_last:
            return f"{number}: SQS moves the message to the dead-letter queue."
        return f"{number}: it is retried later."

    @property
    def log_level(self) -> int:
        return logging.ERROR if self.is_last else logging.WARNING

    def run(self, until: datetime) -> Outcome:
        """
        Run the task, log what became of it, and return that.

        ``until`` is when the invocation ends at the latest. Raises nothing that the
        task raises, SystemExit included. To be called in a context of its own: it sets
        the IDs of the task.
        """
        if self.result is None:
            refused = Refused(self.invalid)
            self.explain(refused)
            log_attempt(self, refused, Queries(), 0)
            return refused
        request_id.set(self.request_id or request_id.get())
        task_id.set(self.result.id)
        chain_length.set(self.chain_length)
        start = time.perf_counter()
        with counted_queries() as queries:
            outcome = self.run_task(self.result, until)
            # A task may have caught the interrupt, and returned.
            if isinstance(outcome, OutOfTime) or exceeded():
                disarm()
                cancel_coroutines()
                discard_interrupted_connections()
        if isinstance(outcome, Busy | Failed):
            self.explain(outcome)
        duration_ms = round((time.perf_counter() - start) * 1000, 1)
        log_attempt(self, outcome, queries, duration_ms)
        return outcome

    def run_task(self, result: TaskResult, until: datetime) -> Outcome:
        """Begin, call, save and announce the task. Return how far that went."""
        unsaved: Ended | None = None
        try:
            if self.store_error:
                raise self.store_error
            if result.status == TaskResultStatus.SUCCESSFUL:
                return Skipped()
            previous = result.last_attempted_at
            mark_started(result, self.message.receive_count)
            if outcome := store_of(result).begin(result, previous, until):
                return outcome
            unsaved = ended = call_task(result, self.is_last)
            if isinstance(ended.error, DeadlineExceeded):
                # The messages are returned first: the database may be what hangs.
                return OutOfTime(ended.error, unsaved)
            save(result)
            unsaved = None
            announce(result, ended)
        except BaseException as raised:
            # By the store or a receiver of task_finished, which must not end the
            # environment either.
            error = revealed(raised)
            kind = OutOfTime if isinstance(error, DeadlineExceeded) else Failed
            return kind(error, unsaved)
        return Succeeded() if ended.error is None else Failed(ended.error)

    def explain(self, outcome: Refused | Busy | Failed) -> None:
        """Log why the task did not succeed, and what happens to the message."""
        error: BaseException | None = None
        match outcome:
            case Refused(refusal):
                error = refusal.__cause__
                what = f"Refused the message {self.message.message_id}: {refusal}"
            case Busy():
                what = f"Another copy of the task {self.name} is in progress"
            case OutOfTime(error):
                what = f"Deadline exceeded in the task {self.name}"
            case Failed(error, unsaved=Ended(None)):
                what = f"The task {self.name} succeeded, but its result was not saved"
            case Failed(error):
                what = f"The task {self.name} failed"
        level = logging.ERROR if self.result is None else self.log_level
        logger.log(level, "%s. %s", what, self.next_step, exc_info=error)

    def give_up(self) -> None:
        """Log that there was no time for the task, if it will not be retried."""
        if not self.is_last:
            return
        token = task_id.set(self.result.id if self.result else "")
        what = f"task {self.name}" if self.result else f"message {self.name}"
        logger.error("There was no time to run the %s. %s", what, self.next_step)
        task_id.reset(token)

    @property
    def name(self) -> str:
        """Return the task's dotted path, or the ID of a message without a task."""
        return self.result.task.module_path if self.result else self.message.message_id


def store_of(result: TaskResult) -> ResultStore:
    """Return the result store of the task's backend."""
    backend: Any = result.task.get_backend()
    store: ResultStore = backend.store
    return store


def mark_started(result: TaskResult, receive_count: int) -> None:
    """
    Set the result to RUNNING, with one worker for each delivery of the message.

    The workers of attempts that are not stored are "".
    """
    now = timezone.now()
    missing = receive_count - 1 - len(result.worker_ids)
    result.worker_ids.extend([""] * missing)
    # The name under which CloudWatch has the log of this environment.
    worker = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "local")
    result.worker_ids.append(worker)
    started_at = result.started_at or now
    update(result, "RUNNING", started_at=started_at, last_attempted_at=now)


def call_task(result: TaskResult, is_last: bool) -> Ended:
    """
    Call the task function, and set in the result how it ended.

    Catches anything it raises, so that SystemExit does not end the environment. A
    task that will be retried is READY, and FAILED only after its last attempt. One
    that leaves a transaction open has failed.
    """
    own_error: BaseException | None = None
    try:
        try:
            # Its receivers belong to the project, like the task.
            task_started.send(sender=backend_of(result), task_result=result)
            value = normalize_json(call(result))
        except BaseException as raised:
            own_error = raised
            raise
        finally:
            # It may raise, too: the connection may have died.
            rolled_back = discard_open_transactions()
        if rolled_back:
            raise TransactionManagementError(
                "The task left a transaction open, which was rolled back"
            )
    except BaseException as raised:
        error = revealed(own_error or raised)
        result.errors.append(describe(error))
        if is_last:
            update(result, "FAILED", finished_at=timezone.now())
        else:
            update(result, "READY")
        return Ended(error)
    update(result, "SUCCESSFUL", finished_at=timezone.now(), _return_value=value)
    return Ended(None)


def call(result: TaskResult) -> Any:
    task = result.task
    context: list[Any] = [TaskContext(task_result=result)] if task.takes_context else []
    args = [*context, *result.args]
    if iscoroutinefunction(task.func):
        return async_to_sync(task.func)(*args, **result.kwargs)
    return task.func(*args, **result.kwargs)


def revealed(error: BaseException) -> BaseException:
    """Return DeadlineExceeded, with ``error`` as its cause, if it has hidden that."""
    if isinstance(error, DeadlineExceeded) or not exceeded():
        return error
    deadline = DeadlineExceeded()
    deadline.__cause__ = error
    return deadline


def describe(error: BaseException) -> TaskError:
    kind = type(error)
    # NUL is the one character that PostgreSQL cannot store.
    traceback = text("".join(format_exception(error))).replace("\0", "\\x00")
    return TaskError(
        exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
        traceback=traceback,
    )


def save(result: TaskResult) -> None:
    """Store how the task ended. The connection may have died while it ran."""
    close_unusable_connections()
    store_of(result).save(result)


def announce(result: TaskResult, ended: Ended) -> None:
    """Send task_finished, if the task has. Raises what its receivers raise."""
    if not result.is_finished:
        return
    error = ended.error
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
        # Without the lines above.
        error.__traceback__ = traceback


def backend_of(result: TaskResult) -> type:
    return type(result.task.get_backend())


def update(result: TaskResult, status: str, **changes: Any) -> None:
    # Frozen, so that only the backend changes it. Django's backends do the same.
    object.__setattr__(result, "status", TaskResultStatus(status))
    for name, value in changes.items():
        object.__setattr__(result, name, value)


def log_attempt(
    attempt: Attempt, outcome: Outcome, queries: Queries, duration_ms: float
) -> None:
    """Log the attempt in one line, which is also its metrics (docs/tasks.md)."""
    message, now = attempt.message, invocation.get()
    task = attempt.result.task if attempt.result else None
    if isinstance(outcome, Failed):
        word = "failed" if attempt.is_last else "retried"
    else:
        word = outcome.word
    # Not what a refused message names: each name would be a metric of its own.
    path = task.module_path if task else "(none)"
    due_ms = task.run_after.timestamp() * 1000 if task and task.run_after else 0
    waited_ms = time.time() * 1000 - duration_ms - max(message.sent_ms, due_ms)
    age_ms = max(round(waited_ms), 0)
    logger.info(
        "%s %s",
        path,
        word,
        extra={
            "task": path,
            "queue": message.queue_arn.rpartition(":")[2],
            "message_id": message.message_id,
            "invocation_id": getattr(now and now.context, "aws_request_id", None),
            "outcome": word,
            "attempt": message.receive_count,
            "duration_ms": duration_ms,
            "age_ms": age_ms,
            "queries": queries.count,
            "queries_ms": queries.ms,
            "metrics": {
                "TaskSucceeded": int(word == "succeeded"),
                "TaskFailed": int(word == "failed"),
                "TaskRetried": int(word == "retried"),
                "TaskRefused": int(word == "refused"),
                "TaskDuration": (duration_ms, "Milliseconds"),
                "TaskAge": (age_ms, "Milliseconds"),
                "DatabaseTime": (queries.ms, "Milliseconds"),
                "DeadlineHits": int(isinstance(outcome, OutOfTime) or exceeded()),
            },
        },
    )
