"""One message: is it a task, may it be run, and what became of it."""

import logging
import math
import os
import time
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Any

from django.utils import timezone

from ..aws.limits import MAX_INVOCATION_MS
from ..database.connections import (
    close_unusable_connections,
    discard_interrupted_connections,
)
from ..deadline import DeadlineExceeded, disarm
from ..invocation import invocation, request_id, task_id
from ..observability.queries import Queries, counted_queries
from . import run_task
from .log import tell
from .message import BadMessage, Message, decode
from .records import Record
from .result_store import Busy
from .retries import Chances

logger = logging.getLogger(__name__)


class Attempt:
    """
    Run the task in a message, once.

    ``out_of_time`` tells that there is no more, and ``busy`` for how many seconds
    another copy of the message may be worked on.
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.chances = Chances(record)
        self.out_of_time = False
        self.busy = 0
        # What is left to store: how the task ended.
        self.unstored = False
        self.error: BaseException | None = None

    @cached_property
    def message(self) -> Message:
        """Return the task in it. Raise BadMessage if there is none."""
        return decode(self.record.body)

    @property
    def store(self) -> Any:
        """Return what knows the results of the task, which its backend names."""
        backend: Any = self.message.result.task.get_backend()
        return backend.store

    def run(self) -> bool:
        """Tell whether the message is done with. Raise nothing that the task raises."""
        try:
            message = self.message
        except BadMessage as error:
            logger.error(
                "The message %s is refused: %s. %s",
                self.record.message_id,
                error,
                self.chances.what_next(),
                exc_info=error.__cause__,
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
            if not self.store.recall(result):
                return "skipped"
            error = self.error = run_task.run(
                result,
                worker(),
                attempts=self.record.attempt,
                begin=partial(self.store.begin, until=end_of_invocation()),
                last=self.chances.is_last,
            )
            self.unstored = True
            # The messages have to go back first: a database that hangs may be what
            # the time was lost with.
            if not isinstance(error, DeadlineExceeded):
                self.conclude()
        except Busy as busy:
            self.busy = max(1, math.ceil((busy.until - timezone.now()).total_seconds()))
            logger.log(
                self.chances.level(),
                "Another copy of the task %s is worked on. %s",
                result.task.module_path,
                self.chances.what_next(),
            )
            return "busy"
        except BaseException as problem:
            # Not the task's own: the store, or a receiver of task_finished, which
            # must not end the environment either.
            error = problem
        if error is None:
            return "succeeded"
        what = "failed"
        if isinstance(error, DeadlineExceeded):
            self.out_of_time = True
            disarm()
            discard_interrupted_connections()
            what = "ran out of time"
        elif self.unstored and self.error is None:
            what = "succeeded, which could not be stored"
        logger.log(
            self.chances.level(),
            "The task %s %s. %s",
            result.task.module_path,
            what,
            self.chances.what_next(),
            exc_info=error,
        )
        return "failed" if self.chances.is_last() else "retried"

    def is_concluded(self) -> bool:
        """Tell whether nothing is left to store."""
        return not self.unstored

    def conclude(self) -> None:
        """Store how the task ended, and tell of it, unless that has been done."""
        if not self.unstored:
            return
        result = self.message.result
        # They may have died while the task worked.
        close_unusable_connections()
        self.store.save(result)
        self.unstored = False
        run_task.announce(result, self.error)

    def give_up(self) -> None:
        """Log that the message was never tried, if it does not come back."""
        if not self.chances.is_last():
            return
        token = None
        try:
            name = f"task {self.message.result.task.module_path}"
            token = task_id.set(self.message.result.id)
        except BadMessage:
            name = f"message {self.record.message_id}"
        logger.error("There was no time for the %s. %s", name, self.chances.what_next())
        if token:
            task_id.reset(token)


def worker() -> str:
    """Return where this runs, as CloudWatch calls it."""
    return os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "local")


def end_of_invocation() -> datetime:
    """Return when this one has ended, whatever happens."""
    current = invocation.get()
    left = current.remaining_ms if current else None
    return timezone.now() + timedelta(
        milliseconds=MAX_INVOCATION_MS if left is None else left
    )
