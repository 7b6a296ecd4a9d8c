"""Two responses to the same request, and what differs between them."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Protocol

from .links import Place

# An answer that never came.
NONE = 0


@dataclass(frozen=True)
class Answer:
    """
    A response as `programs` reports it.

    ``status`` is 0 if there was none; then ``error`` is the reason. Otherwise it is
    the exception that the site raised, or "". ``fault`` is the event source's reason
    for rejecting the result of the function. ``html`` is "" for other media types.
    """

    status: int
    location: str = ""
    content_type: str = ""
    html: str = ""
    error: str = ""
    fault: str = ""

    @property
    def failed(self) -> bool:
        """Return whether the site raised an exception, or did not answer."""
        return self.status == NONE or self.status >= 500


@dataclass(frozen=True)
class Difference:
    """
    One way in which the site on Lambda differs.

    ``what`` is equal for differences of one kind; ``why`` is their cause, or "".
    ``path`` is the path and query of the page in the site, and ``link`` the path of a
    link on it that is the difference, or "".
    """

    path: str
    what: str
    why: str = ""
    link: str = ""

    def matches(self, patterns: list[str]) -> bool:
        """Return whether a shell pattern matches the page or the link."""
        return any(
            fnmatchcase(path, pattern)
            for path in (self.path, self.link)
            for pattern in patterns
        )


class Side(Protocol):
    """The plain site or the one on Lambda: where it is, and facts about it."""

    facts: dict[str, Any]

    @property
    def place(self) -> Place:
        """Return where the site is."""


def compare(
    path: str, plain: Answer, answer: Answer, plain_side: Side, lambda_side: Side
) -> list[Difference]:
    """Return the differences of a page, at most one."""
    if plain.failed and answer.failed:
        return []
    if plain.status != answer.status:
        target = f" to {answer.location}" if answer.location else ""
        what = f"status {shown(plain)}, on Lambda {shown(answer)}{target}"
        return [Difference(path, what, why(plain, answer, lambda_side))]
    before = plain_side.place.comparable(plain.location, path)
    after = lambda_side.place.comparable(answer.location, path)
    if before != after:
        what = f"Location {before or 'absent'}, on Lambda {after or 'absent'}"
        outside = lambda_side.place.prefix and after.startswith("https://")
        reason = (
            f"it leaves {lambda_side.place.prefix}, below which the stage serves"
            if outside and lambda_side.place.has(after)
            else ""
        )
        return [Difference(path, what, reason)]
    if not 300 <= answer.status < 400:
        types = media_type(plain.content_type), media_type(answer.content_type)
        if types[0] != types[1]:
            what = f"content type {types[0] or 'absent'}, on Lambda {types[1]}"
            return [Difference(path, what)]
    return []


def media_type(value: str) -> str:
    """Return a Content-Type without spaces, in lower case."""
    return "".join(value.lower().split())


def shown(answer: Answer) -> str:
    """Return a status for people."""
    return answer.error if answer.status == NONE else str(answer.status)


def why(plain: Answer, answer: Answer, lambda_side: Side) -> str:
    """Return the cause of another status in one sentence, or "" if it is unknown."""
    if answer.fault:
        return f"the event source rejected the result: {answer.fault}"
    if answer.status == 400 and (reason := host_refused(lambda_side.facts)):
        return reason
    if answer.status >= 500 and answer.error:
        return answer.error
    if plain.status >= 500 and plain.error:
        return f"the plain site failed: {plain.error}"
    return ""


def host_refused(facts: dict[str, Any]) -> str:
    """Return why Django rejects the host of the requests, or "" if it accepts it."""
    host, allowed = facts["host"], facts["allowed_hosts"]
    for name in filter(None, allowed):
        if name in ("*", host) or (name[0] == "." and f".{host}".endswith(name)):
            return ""
    return (
        f"ALLOWED_HOSTS is {allowed} and does not allow {host}. Add the host: "
        "PUBLIC_URL or LAMBDA_HOSTS, which apply() reads"
    )
