"""
Run the tasks of a queue: what the tasks function does with each batch of messages.

The event source mapping must report batch item failures (docs/tasks.md): what is
reported comes back later, and Lambda deletes the rest.
"""

import logging
import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from django.db import connections

from . import conf
from .attempt import Attempt
from .aws import queue
from .context import Invocation
from .deadline import DeadlineExceeded, guard
from .events import Event
from .job import job
from .records import Record, read

logger = logging.getLogger(__name__)

# Milliseconds for the answer to Lambda, once SQS was asked or did not answer.
RESERVE = 250

Answer = dict[str, list[dict[str, str]]]
Handler = Callable[[Event, Any], Answer]


def make_handler() -> Handler:
    """
    Return the Lambda handler of tasks.

    It raises UnsupportedEvent, and logs it, for what is no batch of messages.
    """
    invocations = count(1)

    def handler(event: Event, context: Any) -> Answer:
        with job(event, context, next(invocations)) as current:
            batch = Batch(read(event), current)
            try:
                with guard(current.remaining_ms, conf.get("LAMBDA_DEADLINE_MARGIN")):
                    batch.run()
            except DeadlineExceeded:
                # It struck between two tasks, perhaps in the middle of a message.
                connections.close_all()
                logger.warning("The time was up between two tasks")
            return batch.settle()

    return handler


class Batch:
    """
    The messages of one invocation, and which of them are to come back.

    A task that may end this environment runs after the others, and what these have
    finished is deleted before: it takes none of them with it. But a FIFO queue
    keeps its order.
    """

    def __init__(self, records: list[Record], current: Invocation) -> None:
        self.current = current
        self.attempts = [Attempt(record) for record in records]
        self.finished: list[Record] = []
        # After how many seconds a message is to come back.
        self.back: dict[Record, int] = {}

    def run(self) -> None:
        """Run what can be run. Stop, and do not raise, when a task ran out of time."""
        ordered = any(attempt.record.group for attempt in self.attempts)
        if not ordered:
            # First those with fewest chances left; of two that may end this
            # environment, the one that did so less often.
            self.attempts.sort(key=lambda a: (a.risk, -a.record.attempt))
        blocked = set()
        # Known in time: after an interrupt there is none to ask.
        for attempt in self.attempts:
            attempt.is_last()
        for attempt in self.attempts:
            record = attempt.record
            if record.group in blocked:
                # One before it comes back first; this waits behind it.
                continue
            if attempt.risk and not ordered:
                self._delete_finished()
            # It comes back by itself if this environment ends.
            self.back[record] = backoff(record.attempt)
            if attempt.run():
                del self.back[record]
                self.finished.append(record)
            elif record.group and not attempt.is_last():
                blocked.add(record.group)
            if attempt.out_of_time:
                return

    def settle(self) -> Answer:
        """Send back what is not finished, and return it as Lambda wants to know it."""
        finished = {*self.finished}
        unfinished = [a.record for a in self.attempts if a.record not in finished]
        for url, records in by_queue(unfinished):
            seconds = {r.receipt: self.back.get(r, 0) for r in records}
            left = self.current.remaining_ms
            # With nothing left it asks nobody, and says so.
            within = None if left is None else left - RESERVE
            reasons = queue.hide(url, seconds, within)
            for reason in {*reasons.values()}:
                logger.warning("Messages come back at the queue's own time: %s", reason)
        untried = len([r for r in unfinished if r not in self.back])
        if untried:
            logger.warning("%s messages go back untried", untried)
        return {
            "batchItemFailures": [
                {"itemIdentifier": record.message_id} for record in unfinished
            ]
        }

    def _delete_finished(self) -> None:
        # A second call finds nothing to do: Lambda deletes them once more.
        for url, records in by_queue(self.finished):
            queue.delete(url, [record.receipt for record in records])


def by_queue(records: Iterable[Record]) -> Iterable[tuple[str, list[Record]]]:
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.queue_url].append(record)
    return groups.items()


def backoff(attempt: int) -> int:
    """Return for how many seconds a message waits after so many attempts."""
    first, longest = conf.get("LAMBDA_TASK_BACKOFF")
    seconds = min(first * 2 ** min(attempt - 1, 20), longest)
    # Messages that failed together must not come back together.
    return round(random.uniform(seconds / 2, seconds))  # noqa: S311
