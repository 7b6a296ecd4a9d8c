"""A line of the doctor: an item, its state and the next step."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ..release.errors import NoAccess
from ..report import DeployError

OK, PROBLEM, UNKNOWN = "ok", "problem", "unknown"


class Line(NamedTuple):
    """
    What is known of an item.

    The state is UNKNOWN if the item could not be looked at. A line that is not OK has
    a next step: a command, or a page of the documentation.
    """

    item: str
    state: str
    text: str
    next_step: str = ""

    def __str__(self) -> str:
        next_step = f" Next: {self.next_step}" if self.next_step else ""
        end = "." if next_step and not self.text.endswith(".") else ""
        return f"{self.state:8}{self.item:14}{self.text}{end}{next_step}"


def joined(lines: Iterable[Line]) -> Line:
    """Return one line for several of the same item, with the worst state."""
    found = list(lines)
    worst = next(
        (line for state in (PROBLEM, UNKNOWN) for line in found if line.state == state),
        found[0],
    )
    texts = [worst.text, *(line.text for line in found if line is not worst)]
    return worst._replace(text="; ".join(texts))


def attempt[Found: Line | None](item: str, look: Callable[[], Found]) -> Found | Line:
    """
    Return the line of an item, UNKNOWN if AWS refuses to answer.

    Raises NoAccess, which would be the reason of every other line too.
    """
    try:
        return look()
    except NoAccess:
        raise
    except DeployError as error:
        next_step = error.advice or error.first or "docs/troubleshoot.md#permissions"
        return Line(item, UNKNOWN, " ".join(str(error).split()), next_step)
