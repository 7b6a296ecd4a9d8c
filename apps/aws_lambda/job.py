"""One invocation that is no web request: a batch of tasks, a schedule, a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import close_old_connections

from .context import Invocation, entered


@contextmanager
def job(event: Any, context: Any, number: int) -> Iterator[Invocation]:
    """
    Make it the current invocation, and do to connections what a request does.

    ``number`` counts the invocations of this execution environment, from 1.
    """
    current = Invocation(event, context, number)
    with entered(current):
        # Those that are too old, or that died while the environment was frozen.
        close_old_connections()
        try:
            yield current
        finally:
            close_old_connections()
