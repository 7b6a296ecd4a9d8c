"""
Run the tasks of a queue: what the tasks function does with each batch of messages.

The event source mapping must report batch item failures (docs/tasks.md): what is
reported comes back later, and Lambda deletes the rest.
"""

import logging

from .. import conf
from ..database.connections import discard_interrupted_connections
from ..deadline import DeadlineExceeded, guard
from ..invocation import Invocation
from .batch import Answer, Batch
from .records import read

logger = logging.getLogger(__name__)

# How many times LAMBDA_DEADLINE_MARGIN before Lambda's timeout a task is interrupted.
# What is stuck in its clean-up is interrupted again. Until one margin is left the
# messages are sent back, and until half of one the result store is told.
MARGINS = 4


def serve(invocation: Invocation) -> Answer:
    """
    Run the tasks of a batch of messages, and return which failed.

    Raises UnsupportedEvent for any other event.
    """
    batch = Batch(read(invocation.event), invocation)
    margin = conf.get("LAMBDA_DEADLINE_MARGIN")
    try:
        with guard(invocation.remaining_ms, MARGINS * margin):
            batch.run()
    except DeadlineExceeded:
        discard_interrupted_connections()
        logger.warning("The time was up between two tasks")
    batch.send_back(margin)
    batch.conclude(margin / 2)
    return batch.answer()
