"""The messages of one invocation: their order, and what becomes of each."""

import logging
from collections import defaultdict
from collections.abc import Iterable

from ..aws import sqs
from ..database.connections import discard_interrupted_connections
from ..deadline import DeadlineExceeded, guard
from ..invocation import Invocation
from .attempt import Attempt
from .message import BadMessage
from .records import Record
from .retries import backoff

logger = logging.getLogger(__name__)

AT_ITS_OWN_TIME = "Messages come back at the queue's own time"

Answer = dict[str, list[dict[str, str]]]


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
        # How many of these are deleted.
        self.deleted = 0
        # After how many seconds a message is to come back.
        self.back: dict[Record, int] = {}

    def run(self) -> None:
        """Run what can be run. Stop, and do not raise, when a task ran out of time."""
        ordered = any(attempt.record.group for attempt in self.attempts)
        risks = {} if ordered else {a: risk(a) for a in self.attempts}
        if not ordered:
            # First those with fewest chances left; of two that may end this
            # environment, the one that did so less often.
            self.attempts.sort(key=lambda a: (risks[a], -a.record.attempt))
        blocked = set()
        # Known in time: after an interrupt there is none to ask.
        for attempt in self.attempts:
            attempt.chances.is_last()
        for attempt in self.attempts:
            record = attempt.record
            if record.group in blocked:
                # One before it comes back first; this waits behind it.
                continue
            if risks.get(attempt):
                self._delete_finished()
            # It comes back by itself if this environment ends.
            self.back[record] = backoff(record.attempt)
            if attempt.run():
                del self.back[record]
                self.finished.append(record)
                continue
            if attempt.busy:
                self.back[record] = attempt.busy
            if record.group and not attempt.chances.is_last():
                blocked.add(record.group)
            if attempt.out_of_time:
                return

    @property
    def unfinished(self) -> list[Record]:
        finished = {*self.finished}
        return [a.record for a in self.attempts if a.record not in finished]

    @property
    def untried(self) -> list[Record]:
        return [record for record in self.unfinished if record not in self.back]

    def send_back(self, margin: float) -> None:
        """Let SQS hand out again what is not finished. Raise nothing."""
        try:
            with guard(self.current.remaining_ms, margin):
                for url, records in by_queue(self.unfinished):
                    waits = {r.receipt: self.wait(r) for r in records}
                    for reason in sqs.change_visibility(url, waits):
                        logger.warning("%s: %s", AT_ITS_OWN_TIME, reason)
                for attempt in self.attempts:
                    if attempt.record in self.untried:
                        attempt.give_up()
        except DeadlineExceeded:
            logger.warning("%s: no time was left", AT_ITS_OWN_TIME)
        if self.untried:
            logger.warning("%s messages go back untried", len(self.untried))

    def wait(self, record: Record) -> int:
        """Return for how many seconds a message has to stay away."""
        if self.back or self.finished:
            return self.back.get(record, 0)
        # Nothing was begun, so that what took the time would take the next one's.
        return backoff(record.attempt)

    def conclude(self, margin: float) -> None:
        """Store what could not be stored of how tasks ended. Raise nothing."""
        for attempt in self.attempts:
            if attempt.is_concluded():
                continue
            result = attempt.message.result
            try:
                with guard(self.current.remaining_ms, margin):
                    attempt.conclude()
            except BaseException:
                discard_interrupted_connections()
                logger.warning(
                    "It was not stored, or not told, how the task %s %s ended",
                    result.task.module_path,
                    result.id,
                    exc_info=True,
                )
            if attempt.is_concluded() and attempt.error is None:
                self.finished.append(attempt.record)

    def answer(self) -> Answer:
        """Return what is not finished, as Lambda wants to know it."""
        return {
            "batchItemFailures": [
                {"itemIdentifier": record.message_id} for record in self.unfinished
            ]
        }

    def _delete_finished(self) -> None:
        # Lambda deletes them once more, and finds nothing to do.
        for url, records in by_queue(self.finished[self.deleted :]):
            for reason in sqs.delete(url, [record.receipt for record in records]):
                logger.warning("Messages of finished tasks are not deleted: %s", reason)
        self.deleted = len(self.finished)


def risk(attempt: Attempt) -> int:
    """
    Return 0, or how often a task was begun if it may end this environment.

    It did the last time, or ran out of time: the result store knows. Without one,
    any task may have, whose message was received before.
    """
    number = attempt.record.attempt
    if number == 1:
        return 0
    try:
        begun: int | None = attempt.store.ended_badly(attempt.message.result)
    except BadMessage:
        return 0
    except Exception:
        logger.warning("The result store does not answer", exc_info=True)
        begun = None
    return number if begun is None else begun


def by_queue(records: Iterable[Record]) -> Iterable[tuple[str, list[Record]]]:
    groups: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[record.queue_url].append(record)
    return groups.items()
