"""Hold a release at a step, to interrupt it there."""

import re
from collections.abc import Callable
from threading import Event

from tests.services.local_lambda import Answer, Asked

SECONDS = 120
STATUS = re.compile(rb"<StackStatus>\w+<")


class Hold:
    """
    Hold back the response to one request, from `reached` until `go`.

    AWS has executed the request, which ``matches`` selects. During an update of a
    stack, CloudFormation reports it as in progress until `go`; moto never does.
    """

    def __init__(self, matches: Callable[[Asked], bool]) -> None:
        self.matches = matches
        self.reached = Event()
        self.go = Event()
        self.updates = False
        # A client has received the status of an update in progress.
        self.reported = Event()

    def __call__(self, asked: Asked, respond: Callable[[Asked], Answer]) -> Answer:
        status, content, headers = respond(asked)
        if not self.reached.is_set() and self.matches(asked):
            self.updates = b"Action=UpdateStack" in asked.body
            self.reached.set()
            self.go.wait(SECONDS)
        elif self.updates and not self.go.is_set() and STATUS.search(content):
            content = STATUS.sub(b"<StackStatus>UPDATE_IN_PROGRESS<", content)
            self.reported.set()
        return status, content, headers


def target(name: str) -> Callable[[Asked], bool]:
    """Match an operation of a JSON service: "AmazonSSM.GetParameters"."""
    return lambda asked: asked.headers.get("X-Amz-Target") == name


def request(method: str, path: str, *words: str) -> Callable[[Asked], bool]:
    """Match a method, a pattern of the path, and words in the body."""
    return lambda asked: (
        asked.method == method
        and re.search(path, asked.path) is not None
        and all(word.encode() in asked.body for word in words)
    )
