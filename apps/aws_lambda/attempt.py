"""One message: is it a task, may it run, what became of it, and the log line."""

import logging
import os
import time
from functools import cached_property
from typing import Any

from django.db import connections

from . import run_task
from .access_log import Queries, counted_queries
from .aws import queue
from .aws.http import AwsError
from .context import Invocation, request_id, task_id
from .deadline import DeadlineExceeded
from .records import Record
from .task_message import BadMessage, Message, decode

logger = logging.getLogger(__name__)

# How often a queue hands a message out, by the queue's URL.
limits: dict[str, int | None] = {}


class Attempt:
    """Run the task in a message, once. ``out_of_time`` tells that there is no more."""

    def __init__(self, record: Record, current: Invocation) -> None:
        self.record = record
        self.current = current
        self.out_of_time = False

    @cached_property
    def message(self) -> Message:
        """Return the task in it. Raise BadMessage if there is none."""
        return decode(self.record.body)

    @cached_property
    def limit(self) -> int | None:
        """Return how often the message is handed out; None if that is not known."""
        url = self.record.queue_url
        if url not in limits:
            try:
                limits[url] = queue.max_receive_count(url)
            except AwsError as error:
                logger.warning("How often a task is tried is not known: %s", error)
                return None
        return limits[url]

    def is_last(self) -> bool:
        return self.limit is not None and self.record.attempt >= self.limit

    @cached_property
    def risk(self) -> int:
        """
        Return 0, or how often the task was begun if it may end this environment.

        It did the last time, or ran out of time: the result store knows. Without
        it, any task may have, whose message was received before.
        """
        if self.record.attempt == 1:
            return 0
        try:
            result = self.message.result
            backend: Any = result.task.get_backend()
            if backend.supports_get_result:
                begun: int = backend.store.ended_badly(result)
                return begun
        except BadMessage:
            return 0
        except Exception:
            logger.warning("The result store does not answer", exc_info=True)
        return self.record.attempt

    def run(self) -> bool:
        """Tell whether the message is done with. Raise nothing, whatever happens."""
        try:
            message = self.message
        except BadMessage as error:
            logger.error(
                "The message %s is refused: %s. %s",
                self.record.message_id,
                error,
                self.what_next(),
            )
            self.tell("refused", "(none)", Queries(), 0)
            return False
        ids = request_id.set(message.request_id or request_id.get())
        tasks = task_id.set(message.result.id)
        start = time.perf_counter()
        try:
            with counted_queries() as queries:
                outcome = self.outcome(message)
            self.tell(
                outcome,
                message.result.task.module_path,
                queries,
                round((time.perf_counter() - start) * 1000, 1),
            )
        finally:
            task_id.reset(tasks)
            request_id.reset(ids)
        return outcome in ("succeeded", "skipped")

    def outcome(self, message: Message) -> str:
        result = message.result
        try:
            backend: Any = result.task.get_backend()
            stored = backend.supports_get_result
            if stored and not backend.store.recall(result):
                return "skipped"
            error = run_task.run(
                result,
                worker(),
                attempts=self.record.attempt,
                save=backend.store.save if stored else lambda result: None,
                last=self.is_last,
            )
        except (Exception, DeadlineExceeded) as problem:
            # Not the task's own: the store, or a receiver of task_finished.
            error = problem
        if error is None:
            return "succeeded"
        self.out_of_time = isinstance(error, DeadlineExceeded)
        if self.out_of_time:
            # They may have been interrupted in the middle of a message.
            connections.close_all()
        what = "ran out of time" if self.out_of_time else "failed"
        logger.log(
            logging.ERROR if self.is_last() else logging.WARNING,
            "The task %s %s. %s",
            result.task.module_path,
            what,
            self.what_next(),
            exc_info=error,
        )
        return "failed" if self.is_last() else "retried"

    def what_next(self) -> str:
        number = f"Attempt {self.record.attempt}"
        if self.limit is None:
            return f"{number}: it comes back."
        if self.is_last():
            return f"{number} of {self.limit}: it goes to the dead-letter queue."
        return f"{number} of {self.limit}: it comes back."

    def tell(self, outcome: str, path: str, queries: Queries, duration: float) -> None:
        """Write the log line, which is also the metrics."""
        age = round(time.time() * 1000 - duration - self.due_ms())
        logger.info(
            "%s %s",
            path,
            outcome,
            extra={
                "task": path,
                "queue": self.record.queue_url.rpartition("/")[2],
                "message_id": self.record.message_id,
                "invocation_id": getattr(self.current.context, "aws_request_id", None),
                "outcome": outcome,
                "attempt": self.record.attempt,
                "duration_ms": duration,
                "age_ms": age,
                "queries": queries.count,
                "queries_ms": queries.ms,
                "metrics": {
                    "TaskSucceeded": int(outcome == "succeeded"),
                    "TaskFailed": int(outcome == "failed"),
                    "TaskRetried": int(outcome == "retried"),
                    "TaskRefused": int(outcome == "refused"),
                    "TaskDuration": (duration, "Milliseconds"),
                    "TaskAge": (max(age, 0), "Milliseconds"),
                    "DatabaseTime": (queries.ms, "Milliseconds"),
                    "DeadlineHits": int(self.out_of_time),
                },
            },
        )

    def due_ms(self) -> float:
        """Return when it could first be run, in milliseconds since 1970."""
        try:
            run_after = self.message.result.task.run_after
        except BadMessage:
            run_after = None
        due = run_after.timestamp() * 1000 if run_after else 0
        return max(self.record.sent_ms, due)


def worker() -> str:
    """Return where this runs, as CloudWatch calls it."""
    return os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "local")
