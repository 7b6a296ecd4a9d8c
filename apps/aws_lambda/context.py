"""What is true of the current invocation, available anywhere below it."""

from contextvars import ContextVar

# Empty outside a request, so that a log line always has the field.
request_id: ContextVar[str] = ContextVar("request_id", default="")
