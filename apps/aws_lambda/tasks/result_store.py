"""What the consumer asks of a store of results, and the one that keeps none."""

from datetime import datetime

from django.tasks import TaskResult


class Busy(Exception):
    """Another copy of the task's message may be worked on, ``until`` then."""

    def __init__(self, until: datetime) -> None:
        super().__init__(until)
        self.until = until


class NoResults:
    """The store of a backend without one; results.store is the other."""

    @staticmethod
    def recall(result: TaskResult) -> bool:
        """Tell that it is to be run, as nothing is known of it."""
        return True

    @staticmethod
    def begin(result: TaskResult, until: datetime) -> None:
        """Store nothing."""

    @staticmethod
    def save(result: TaskResult) -> None:
        """Store nothing."""

    @staticmethod
    def ended_badly(result: TaskResult) -> int | None:
        """Return None: nobody knows."""
        return None
