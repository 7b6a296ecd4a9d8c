"""What a command has done to a stage, as far as AWS has answered."""

from collections.abc import Iterator
from contextlib import contextmanager

from .errors import NoAccess, Refused

# Function -> version: {"http": "12", "tasks": "9"}
Versions = dict[str, str]


class Progress:
    """
    The changes that one command makes, for the report of its failure.

    ``live`` are the versions behind the alias, as AWS last confirmed. ``facts`` are
    sentences about changes whose end is not known, and about other ones, by what
    changes.
    """

    def __init__(self) -> None:
        self.live: Versions = {}
        self.facts: dict[str, str] = {}
        self.changed = False

    def note(self, what: str, sentence: str) -> None:
        """Report a change, instead of what was noted about the same thing."""
        self.changed = True
        self.facts[what] = sentence

    def forget(self, what: str) -> None:
        """Report a change no longer, because AWS says what it has led to."""
        self.facts.pop(what, None)

    @contextmanager
    def change(self, what: str, maybe: str, done: str = "") -> Iterator[None]:
        """
        Run the block as a change: note ``done`` if it succeeds.

        What AWS refuses changes nothing. After any other failure ``maybe`` is noted.
        """
        try:
            yield
        except BaseException as error:
            refused = isinstance(error, Refused) or (
                isinstance(error, NoAccess) and error.answered
            )
            if not refused:
                self.note(what, maybe)
            raise
        self.changed = True
        self.forget(what)
        if done:
            self.note(what, done)

    @contextmanager
    def move(self, function: str, version: str) -> Iterator[None]:
        """Run the block, which moves the traffic of a function to a version."""
        maybe = f"{function} may have moved to version {version}."
        with self.change(f"alias of {function}", maybe):
            yield
        self.live[function] = version

    def answer(self, live: Versions) -> None:
        """Take over the live versions, which AWS has returned."""
        self.live = {**live}
        for function in live:
            self.forget(f"alias of {function}")
