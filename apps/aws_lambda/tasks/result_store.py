"""What a result store must have, and the store that keeps nothing."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from django.tasks import TaskResult

from .outcomes import Busy, Skipped


class ResultStore(Protocol):
    """
    Where results are kept: the module ``results.store``, or ``NoResults``.

    Each method may raise what the database raises.
    """

    def add(self, result: TaskResult, /) -> object:
        """Store a new task. Raises ValueError if its arguments cannot be stored."""

    def recall(self, results: Iterable[TaskResult], /) -> dict[str, Exception]:
        """
        Add to each result what is stored of its earlier attempts.

        Returns, by the ID of a result, why its row could not be read.
        """

    def interrupted_attempts(self, result: TaskResult, /) -> int | None:
        """
        Return the number of attempts so far if the last one was interrupted, or 0.

        It was if its process ended, or if the deadline interrupted it. None if the
        store does not know. ``result`` is as ``recall`` left it.
        """

    def begin(
        self, result: TaskResult, previous: datetime | None, until: datetime, /
    ) -> Skipped | Busy | None:
        """
        Store that this invocation runs the task, and until when it does at most.

        ``previous`` is when the last attempt began, according to ``recall``. Returns
        why the task must not run now, or None.
        """

    def save(self, result: TaskResult, /) -> object:
        """Store how the attempt ended."""


class NoResults:
    """The store of a backend without RESULTS."""

    def add(self, result: TaskResult, /) -> object:
        return None

    def recall(self, results: Iterable[TaskResult], /) -> dict[str, Exception]:
        """Leave the results as they were enqueued."""
        return {}

    def interrupted_attempts(self, result: TaskResult, /) -> int | None:
        return None

    def begin(
        self, result: TaskResult, previous: datetime | None, until: datetime, /
    ) -> Skipped | Busy | None:
        return None

    def save(self, result: TaskResult, /) -> object:
        return None
