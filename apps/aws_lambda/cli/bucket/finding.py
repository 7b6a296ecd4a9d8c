"""An item that was tried: what is expected of S3, and what was found."""

from collections.abc import Callable
from typing import NamedTuple

from ...aws.http import AwsError, Response
from ...aws.s3 import error_of

OK, PROBLEM, UNKNOWN = "ok", "problem", "unknown"


class Finding(NamedTuple):
    """
    What was found of an item.

    The state is UNKNOWN if S3 has not judged: it has not answered, or has refused the
    question.
    """

    item: str
    state: str
    expected: str
    found: str

    def __str__(self) -> str:
        found = f"expected {self.expected}, found {self.found}"
        if self.found == self.expected:
            found = f"found {self.found}, as expected"
        return f"{self.state:8}{self.item:30}{found}"


def compare(item: str, expected: str, found: str) -> Finding:
    """Return the finding of a fact that is expected word for word."""
    return Finding(item, OK if found == expected else PROBLEM, expected, found)


def ask(item: str, expected: int, request: Callable[[], Response]) -> Finding:
    """Return whether the status of the response is the expected one."""
    try:
        response = request()
    except AwsError as error:
        return Finding(item, UNKNOWN, str(expected), str(error))
    status = response.status
    code = error_of(response)[0] if status >= 300 else ""
    state = OK if status == expected else PROBLEM
    if status == 429 or status >= 500:
        state = UNKNOWN
    return Finding(item, state, str(expected), f"{status} {code}".strip())


def refusal(item: str, expected: str, call: Callable[[], object]) -> Finding:
    """Return whether a call is refused with the expected error code of S3."""
    try:
        call()
    except AwsError as error:
        if not error.code:
            return Finding(item, UNKNOWN, expected, str(error))
        return compare(item, expected, error.code)
    return Finding(item, PROBLEM, expected, "no refusal")
