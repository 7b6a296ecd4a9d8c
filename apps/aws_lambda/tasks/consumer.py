"""
The tasks function: run the tasks in a batch of messages.

The event source mapping must report batch item failures (docs/tasks.md): Lambda
deletes each message that is not reported, and SQS delivers the others again.
"""

import logging
import math
import random
import time
from collections import defaultdict
from collections.abc import Callable
from contextvars import copy_context
from datetime import datetime, timedelta

from django.utils import timezone

from .. import conf
from ..aws import sqs
from ..aws.http import AwsError
from ..aws.limits import MAX_INVOCATION_MS
from ..database.connections import discard_interrupted_connections
from ..deadline import (
    DEADLINE_MARGIN_SECONDS,
    DeadlineExceeded,
    cancel_coroutines,
    exceeded,
    guard,
)
from ..invocation import Invocation
from .attempt import Attempt, announce, save, store_of
from .message import Message, read_messages
from .outcomes import (
    Busy,
    Failed,
    Outcome,
    OutOfTime,
    Skipped,
    Succeeded,
)
from .result_store import ResultStore

logger = logging.getLogger(__name__)

BatchResponse = dict[str, list[dict[str, str]]]

# How many deadline margins before Lambda's timeout a task is interrupted, and again
# while its clean-up hangs. Messages are returned until one margin is left, and results
# are saved until half a margin is left.
TASK_MARGINS = 4

NOT_RELEASED = (
    "Could not change message visibility; they reappear after the visibility timeout"
)

# maxReceiveCount by queue ARN. None if the queue has no dead-letter queue.
max_receive_counts: dict[str, int | None] = {}
# Until when SQS is not asked again about a queue, as of time.monotonic().
retry_lookup_at: dict[str, float] = {}
LOOKUP_RETRY_SECONDS = 60


def make_consumer(
    deadline_margin: float = DEADLINE_MARGIN_SECONDS,
) -> Callable[[Invocation], BatchResponse]:
    """Return the function that runs a batch and returns the messages that failed."""

    def serve(invocation: Invocation) -> BatchResponse:
        batch = Batch(read_messages(invocation.event), invocation)
        remaining_ms = invocation.remaining_ms
        try:
            with guard(remaining_ms, TASK_MARGINS * deadline_margin):
                batch.run(until=end_of_invocation(remaining_ms))
        except DeadlineExceeded as error:
            cancel_coroutines()
            discard_interrupted_connections()
            logger.warning(
                "Deadline exceeded outside of the tasks",
                exc_info=error,
                extra={"metrics": {"DeadlineHits": 1}},
            )
        if batch.unfinished:
            batch.release(deadline_margin)
            batch.save_unsaved(deadline_margin / 2)
        return batch.response()

    return serve


class Interrupted:
    """The outcome if the deadline interrupted it just before or after the task."""


class Batch:
    """
    The messages of one invocation, and what became of each.

    A message without an outcome was not tried.
    """

    def __init__(self, messages: list[Message], invocation: Invocation) -> None:
        self.messages = messages
        self.invocation = invocation
        self.queue_arn = messages[0].queue_arn
        self.attempts: list[Attempt] = []
        self.outcomes: dict[Message, Outcome | Interrupted] = {}
        # How many messages of finished tasks are deleted.
        self.deleted = 0

    def run(self, until: datetime) -> None:
        """
        Attempt each task once. Return early when one runs out of time.

        ``until`` is when the invocation ends at the latest.
        """
        # First, because there is no time to call SQS after the deadline.
        limit = max_receive_count(self.queue_arn)
        self.attempts = [Attempt(message, limit) for message in self.messages]
        for attempt in self.attempts:
            attempt.decode()
        recall(self.attempts)
        blocked_groups = set()
        for attempt in in_order(self.attempts):
            message = attempt.message
            if message.group in blocked_groups:
                continue
            if risk(attempt) and not message.group:
                self.delete_finished()
            # Until there is an outcome: the deadline may interrupt before or after.
            self.outcomes[message] = Interrupted()
            # What a task sets in its context, such as the language, ends with it.
            outcome = self.outcomes[message] = copy_context().run(attempt.run, until)
            if message.group and not is_finished(outcome) and not attempt.is_last:
                blocked_groups.add(message.group)
            # A task may have caught the interrupt, and returned.
            if isinstance(outcome, OutOfTime) or exceeded():
                return

    @property
    def unfinished(self) -> list[Message]:
        return [m for m in self.messages if not is_finished(self.outcomes.get(m))]

    def delete_finished(self) -> None:
        """Delete the messages of the tasks that have finished so far."""
        done = [m for m, outcome in self.outcomes.items() if is_finished(outcome)]
        receipts = [m.receipt_handle for m in done[self.deleted :]]
        if not receipts:
            return
        self.deleted = len(done)
        # Lambda deletes them again after the invocation, which has no effect.
        for reason in sqs.delete(sqs.queue_url(self.queue_arn), receipts):
            logger.warning("Could not delete messages of finished tasks: %s", reason)

    def release(self, margin: float) -> None:
        """Return the unfinished messages to the queue. Raises nothing."""
        untried = len(self.messages) - len(self.outcomes)
        try:
            with guard(self.invocation.remaining_ms, margin):
                timeouts = {
                    m.receipt_handle: self.retry_delay(m) for m in self.unfinished
                }
                url = sqs.queue_url(self.queue_arn)
                for reason in sqs.change_visibility(url, timeouts):
                    logger.warning("%s: %s", NOT_RELEASED, reason)
                for attempt in self.attempts:
                    if attempt.message not in self.outcomes:
                        attempt.give_up()
        except DeadlineExceeded:
            logger.warning("%s: deadline exceeded", NOT_RELEASED)
        if untried:
            logger.warning("%s messages were not tried", untried)

    def retry_delay(self, message: Message) -> int:
        """Return for how many seconds the message must stay invisible."""
        match self.outcomes.get(message):
            case Busy(until):
                return max(1, math.ceil((until - timezone.now()).total_seconds()))
            case None if self.outcomes:
                return 0
        # Also if no task was tried: the next invocation would lose its time, too.
        return backoff(message.receive_count)

    def save_unsaved(self, margin: float) -> None:
        """Save the results that are not saved yet. Raises nothing."""
        for attempt in self.attempts:
            outcome = self.outcomes.get(attempt.message)
            result = attempt.result
            if not isinstance(outcome, Failed) or not outcome.unsaved or not result:
                continue
            try:
                with guard(self.invocation.remaining_ms, margin):
                    save(result)
                    if outcome.unsaved.error is None:
                        self.outcomes[attempt.message] = Succeeded()
                    announce(result, outcome.unsaved)
            except BaseException:
                discard_interrupted_connections()
                logger.warning(
                    "Could not save or announce the result of the task %s %s",
                    attempt.name,
                    result.id,
                    exc_info=True,
                )

    def response(self) -> BatchResponse:
        """Return the messages that Lambda must not delete."""
        # https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
        return {
            "batchItemFailures": [
                {"itemIdentifier": message.message_id} for message in self.unfinished
            ]
        }


def is_finished(outcome: Outcome | Interrupted | None) -> bool:
    """Return whether the message can be deleted."""
    return isinstance(outcome, Succeeded | Skipped)


def end_of_invocation(remaining_ms: int | None) -> datetime:
    """Return when Lambda ends it; outside Lambda, when Lambda would at the latest."""
    return timezone.now() + timedelta(
        milliseconds=MAX_INVOCATION_MS if remaining_ms is None else remaining_ms
    )


def recall(attempts: list[Attempt]) -> None:
    """Read what is stored of the tasks, in one query for each result store."""
    by_store: defaultdict[ResultStore, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        if attempt.result:
            try:
                by_store[store_of(attempt.result)].append(attempt)
            except Exception as error:
                attempt.store_error = error
    for store, group in by_store.items():
        try:
            failures = store.recall([a.result for a in group if a.result])
        except Exception as error:
            failures = {a.result.id: error for a in group if a.result}
        for attempt in group:
            if attempt.result:
                attempt.store_error = failures.get(attempt.result.id)


def in_order(attempts: list[Attempt]) -> list[Attempt]:
    """
    Return the attempts in the order to run them: on a FIFO queue, as received.

    Otherwise tasks that may end this environment run after the others, those with
    more such attempts last. The rest are ordered by the attempts they have left.
    """
    if attempts[0].message.group:
        return attempts
    return sorted(attempts, key=lambda a: (risk(a), -a.message.receive_count))


def risk(attempt: Attempt) -> int:
    """
    Return the attempts so far of a task that may end this environment, otherwise 0.

    A task may if its last attempt was interrupted, according to the result store.
    Without RESULTS, each task may whose message was received before.
    """
    count, result = attempt.message.receive_count, attempt.result
    if count == 1 or result is None or attempt.store_error:
        return 0
    interrupted = store_of(result).interrupted_attempts(result)
    return count if interrupted is None else interrupted


def max_receive_count(queue_arn: str) -> int | None:
    """Return the queue's maxReceiveCount; None if it has none or it is not known."""
    # SQS may be unreachable from a private subnet, although Lambda's poller receives
    # messages. So a call that failed is not repeated for each batch.
    if queue_arn not in max_receive_counts:
        if time.monotonic() < retry_lookup_at.get(queue_arn, 0):
            return None
        try:
            url = sqs.queue_url(queue_arn)
            max_receive_counts[queue_arn] = sqs.max_receive_count(url)
        except AwsError as error:
            retry_lookup_at[queue_arn] = time.monotonic() + LOOKUP_RETRY_SECONDS
            logger.warning("Could not read maxReceiveCount of %s: %s", queue_arn, error)
            return None
    return max_receive_counts[queue_arn]


def backoff(receive_count: int) -> int:
    """Return the delay, in seconds, after the given number of receives."""
    first, longest = conf.get("LAMBDA_TASK_BACKOFF")
    seconds = min(first * 2 ** min(receive_count - 1, 20), longest)
    # Messages that failed together must not be retried together.
    return round(random.uniform(seconds / 2, seconds))  # noqa: S311
