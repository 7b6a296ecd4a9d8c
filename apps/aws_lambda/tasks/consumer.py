"""
Run the tasks of a queue: what the tasks function does with each batch of messages.

The event source mapping must report batch item failures (docs/tasks.md): what is
reported comes back later, and Lambda deletes the rest.
"""

import logging
from collections.abc import Callable
from itertools import count
from typing import Any

from .. import conf
from ..database.connections import discard_interrupted_connections
from ..deadline import DeadlineExceeded, guard
from ..events import Event
from ..job import job
from .batch import Answer, Batch
from .records import read

logger = logging.getLogger(__name__)

# How many times LAMBDA_DEADLINE_MARGIN before Lambda's timeout a task is interrupted.
# What is stuck in its clean-up is interrupted again. Until one margin is left the
# messages are sent back, and until half of one the result store is told.
MARGINS = 4

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
            margin = conf.get("LAMBDA_DEADLINE_MARGIN")
            try:
                with guard(current.remaining_ms, MARGINS * margin):
                    batch.run()
            except DeadlineExceeded:
                discard_interrupted_connections()
                logger.warning("The time was up between two tasks")
            batch.send_back(margin)
            batch.conclude(margin / 2)
            return batch.answer()

    return handler
