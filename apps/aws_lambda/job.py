"""One invocation that is no web request: a batch of tasks, a schedule, a command."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from .database.connections import usable_connections
from .events import UnsupportedEvent
from .invocation import Invocation, entered

logger = logging.getLogger(__name__)


@contextmanager
def job(event: Any, context: Any, number: int) -> Iterator[Invocation]:
    """
    Make it the current invocation, and do to connections what a request does.

    ``number`` counts the invocations of this execution environment, from 1. An
    UnsupportedEvent is logged on its way out.
    """
    current = Invocation(event, context, number)
    with entered(current), usable_connections():
        try:
            yield current
        except UnsupportedEvent as error:
            logger.error("%s", error)
            raise
