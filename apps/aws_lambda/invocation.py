"""The current invocation and its IDs, available to all code below the handler."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

# Empty outside a request, so that a log line always has the field.
request_id: ContextVar[str] = ContextVar("request_id", default="")
# The ID of the task that runs, or "".
task_id: ContextVar[str] = ContextVar("task_id", default="")
# The number of tasks in the chain that ends with the task that runs: each, except the
# first, was enqueued by the one before. 0 if no task runs.
chain_length: ContextVar[int] = ContextVar("chain_length", default=0)
# What is known of a web request for its access line; None outside of one.
access_facts: ContextVar[dict[str, Any] | None] = ContextVar("access", default=None)
# Django's request, while a view handles it, for code that Django gives none: widgets.
web_request: ContextVar[Any] = ContextVar("web_request", default=None)


class Parts(Protocol):
    """
    A result that is made while it is sent; iterating it raises nothing.

    After the last part, ``fault`` is the type and the sentence of what has cut it, or
    None if it is complete.
    """

    fault: tuple[str, str] | None

    def __iter__(self) -> Iterator[bytes]: ...

    def seconds_left(self) -> float | None:
        """Return for how long a part may be sent, or None."""

    def cut(self, reason: str) -> None:
        """Note why it could not be sent: the "client", or the "deadline"."""


class Reply(Protocol):
    """How a handler answers the runtime client of this project: one of these, once."""

    def result(self, value: Any) -> None:
        """Send a value that JSON can have."""

    def payload(self, parts: Sequence[bytes]) -> None:
        """Send a result that is JSON already, in parts."""

    def stream(self, parts: Parts) -> None:
        """Send a streamed result, each part before the next one is made."""

    def error(self, error: BaseException) -> None:
        """Log an exception, and send it."""


class Invocation:
    """
    One call of a handler by Lambda.

    ``event`` and ``context`` are as Lambda gave them. ``number`` counts the
    invocations of this execution environment, from 1. ``afterwards`` is what to do when
    Lambda has the answer, or None where it gets the answer last: from AWS's client.
    """

    def __init__(
        self,
        event: Any,
        context: Any,
        number: int,
        afterwards: list[Callable[[], object]] | None = None,
    ) -> None:
        self.event, self.context, self.number = event, context, number
        self.afterwards = afterwards

    def after_answer(self, step: Callable[[], object]) -> None:
        """Call it when Lambda has the answer, or now if that comes last."""
        if self.afterwards is None:
            step()
        else:
            self.afterwards.append(step)

    @property
    def cold_start(self) -> bool:
        return self.number == 1

    @property
    def request_id(self) -> str:
        """Return Lambda's own ID of the invocation, or "" outside Lambda."""
        return getattr(self.context, "aws_request_id", None) or ""

    @property
    def trace_id(self) -> str:
        """Return X-Ray's ID of the trace, "1-...", or "" without one."""
        # The runtime client renews it for each invocation.
        # https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
        header = os.environ.get("_X_AMZN_TRACE_ID", "")
        _, _, root = f";{header}".partition(";Root=")
        return root.partition(";")[0]

    @property
    def remaining_ms(self) -> int | None:
        """Return the milliseconds until Lambda's timeout; None outside Lambda."""
        remaining = getattr(self.context, "get_remaining_time_in_millis", None)
        return int(remaining()) if remaining else None


invocation: ContextVar[Invocation | None] = ContextVar("invocation", default=None)


def activate(current: Invocation) -> None:
    """
    Make it current; its ID is the request ID until the gateway's is known.

    An invocation inside of another one, such as a request that a task makes with the
    test client, has neither the task nor the chain of that.
    """
    invocation.set(current)
    request_id.set(current.request_id)
    # Most begin outside of everything, and to read a variable is the faster.
    if task_id.get():
        task_id.set("")
    if chain_length.get():
        chain_length.set(0)
    if access_facts.get() is not None:
        access_facts.set(None)
    if web_request.get() is not None:
        web_request.set(None)
