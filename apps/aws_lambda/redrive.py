"""How often a queue hands a message out, before it goes to the dead-letter queue."""

import logging
import time

from .aws import queue
from .aws.http import AwsError

logger = logging.getLogger(__name__)

# What is known, by the queue's URL.
limits: dict[str, int | None] = {}
# Until when one that did not tell is not asked again, as of time.monotonic().
silent: dict[str, float] = {}
SILENCE = 60


def limit(url: str) -> int | None:
    """Return how often a message of the queue is handed out; None if not known."""
    # Not with each message where nobody answers: a private network may have no way
    # to SQS, and the function has its messages from Lambda.
    if url not in limits and time.monotonic() >= silent.get(url, 0):
        try:
            limits[url] = queue.max_receive_count(url)
        except AwsError as error:
            silent[url] = time.monotonic() + SILENCE
            logger.warning("How often a task is tried is not known: %s", error)
    return limits.get(url)
