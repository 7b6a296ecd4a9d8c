"""One message: is it a task, may it be run, and what became of it."""

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
from .context import request_id, task_id
from .deadline import DeadlineExceeded
from .records import Record
from .task_log import tell
from .task_message import BadMessage, Message, decode

logger = logging.getLogger(__name__)

# How often a queue hands a message out, by the queue's URL.
limits: dict[str, int | None] = {}
# Until when one that did not tell is not asked again, as of time.monotonic().
silent: dict[str, float] = {}
SILENCE = 60


class Attempt:
    """Run the task in a message, once. ``out_of_time`` tells that there is no more."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.out_of_time = False

    @cached_property
    def message(self) -> Message:
        """Return the task in it. Raise BadMessage if there is none."""
        return decode(self.record.body)

    @cached_property
    def limit(self) -> int | None:
        """Return how often the message is handed out; None if that is not known."""
        url = self.record.queue_url
        # Not with each message where nobody answers: a private network may have no
        # way to SQS, and the function has its messages from Lambda.
        if url not in limits and time.monotonic() >= silent.get(url, 0):
            try:
                limits[url] = queue.max_receive_count(url)
            except AwsError as error:
                silent[url] = time.monotonic() + SILENCE
                logger.warning("How often a task is tried is not known: %s", error)
        return limits.get(url)

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
            tell(self.record, "refused", queries=Queries(), duration=0)
            return False
        ids = request_id.set(message.request_id or request_id.get())
        tasks = task_id.set(message.result.id)
        start = time.perf_counter()
        try:
            with counted_queries() as queries:
                outcome = self.outcome(message)
            tell(
                self.record,
                outcome,
                task=message.result.task,
                queries=queries,
                duration=round((time.perf_counter() - start) * 1000, 1),
                out_of_time=self.out_of_time,
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
        except BaseException as problem:
            # Not the task's own: the store, or a receiver of task_finished, which
            # must not end the environment either.
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


def worker() -> str:
    """Return where this runs, as CloudWatch calls it."""
    return os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "local")
