"""
What became of a message: an attempt returns one of these.

``word`` is the outcome in the log (docs/tasks.md). That of a failure depends on
whether it is the last attempt.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar


@dataclass(frozen=True)
class Succeeded:
    """The task returned, and its result is saved."""

    word: ClassVar = "succeeded"


@dataclass(frozen=True)
class Skipped:
    """The task had succeeded before."""

    word: ClassVar = "skipped"


@dataclass(frozen=True)
class Refused:
    """The message has no task that can be run."""

    word: ClassVar = "refused"
    error: Exception


@dataclass(frozen=True)
class Busy:
    """Another copy of the message may be in progress, at the latest ``until`` then."""

    word: ClassVar = "busy"
    until: datetime


@dataclass(frozen=True)
class Ended:
    """The task function returned, or raised ``error``."""

    error: BaseException | None


@dataclass(frozen=True)
class Failed:
    """
    The task, the result store or a receiver of task_finished raised ``error``.

    ``unsaved`` is how the task ended, if the store does not have it yet.
    """

    error: BaseException
    unsaved: Ended | None = None


@dataclass(frozen=True)
class OutOfTime(Failed):
    """The deadline interrupted the task, or the result store."""


Outcome = Succeeded | Skipped | Refused | Busy | Failed
