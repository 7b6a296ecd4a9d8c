"""The current invocation and its IDs, available to all code below the handler."""

import os
from contextvars import ContextVar
from typing import Any, NamedTuple

# Empty outside a request, so that a log line always has the field.
request_id: ContextVar[str] = ContextVar("request_id", default="")
# The ID of the task that runs, or "".
task_id: ContextVar[str] = ContextVar("task_id", default="")
# The number of tasks in the chain that ends with the task that runs: each, except the
# first, was enqueued by the one before. 0 if no task runs.
chain_length: ContextVar[int] = ContextVar("chain_length", default=0)
# What is known of a web request for its access line; None outside of one.
access_facts: ContextVar[dict[str, Any] | None] = ContextVar("access", default=None)


class Invocation(NamedTuple):
    """
    One call of a handler by Lambda.

    ``event`` and ``context`` are as Lambda gave them. ``number`` counts the
    invocations of this execution environment, from 1.
    """

    event: Any
    context: Any
    number: int

    @property
    def cold_start(self) -> bool:
        return self.number == 1

    @property
    def request_id(self) -> str:
        """Return Lambda's own ID of the invocation, or "" outside Lambda."""
        return getattr(self.context, "aws_request_id", None) or ""

    @property
    def trace_id(self) -> str:
        """Return X-Ray's ID of the trace, "1-...", or "" if there is none."""
        # The runtime client renews it for each invocation.
        # https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
        header = os.environ.get("_X_AMZN_TRACE_ID", "")
        root = next((p for p in header.split(";") if p.startswith("Root=")), "")
        return root.removeprefix("Root=")

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
    task_id.set("")
    chain_length.set(0)
    access_facts.set(None)
