"""How often, and when, a queue hands a message out again, until it is a dead letter."""

import logging
import random
import time
from functools import cached_property

from .. import conf
from ..aws import sqs
from ..aws.http import AwsError
from .records import Record

logger = logging.getLogger(__name__)

# How often that is, as far as it is known, by the queue's URL.
limits: dict[str, int | None] = {}
# Until when one that did not tell is not asked again, as of time.monotonic().
silent: dict[str, float] = {}
SILENCE = 60


class Chances:
    """How often a message is tried."""

    def __init__(self, record: Record) -> None:
        self.record = record

    @cached_property
    def limit(self) -> int | None:
        """Return how often it is handed out; None if that is not known."""
        url = self.record.queue_url
        # Not with each message where nobody answers: a private network may have no
        # way to SQS, and the function has its messages from Lambda.
        if url not in limits and time.monotonic() >= silent.get(url, 0):
            try:
                limits[url] = sqs.max_receive_count(url)
            except AwsError as error:
                silent[url] = time.monotonic() + SILENCE
                logger.warning("How often a task is tried is not known: %s", error)
        return limits.get(url)

    def is_last(self) -> bool:
        """Tell whether this attempt is the last."""
        return self.limit is not None and self.record.attempt >= self.limit

    def level(self) -> int:
        """Return the level for the log, if this attempt fails."""
        return logging.ERROR if self.is_last() else logging.WARNING

    def what_next(self) -> str:
        """Return what becomes of the message, if this attempt fails."""
        number = f"Attempt {self.record.attempt}"
        if self.limit is None:
            return f"{number}: it comes back."
        if self.is_last():
            return f"{number} of {self.limit}: it goes to the dead-letter queue."
        return f"{number} of {self.limit}: it comes back."


def backoff(attempt: int) -> int:
    """Return for how many seconds a message waits after so many attempts."""
    first, longest = conf.get("LAMBDA_TASK_BACKOFF")
    seconds = min(first * 2 ** min(attempt - 1, 20), longest)
    # Messages that failed together must not come back together.
    return round(random.uniform(seconds / 2, seconds))  # noqa: S311
