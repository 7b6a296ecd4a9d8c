"""The context object, the second argument of a handler."""

import time
from dataclasses import dataclass, field
from uuid import uuid4


@dataclass(frozen=True)
class LambdaContext:
    """
    A context like the one that the Lambda runtime passes to each invocation.

    ``timeout`` is in seconds, from the creation of the context.
    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    function_name: str = "site-http"
    function_version: str = "$LATEST"
    memory_limit_in_mb: str = "1024"
    aws_request_id: str = field(default_factory=lambda: str(uuid4()))
    timeout: float = 29.0
    started: float = field(default_factory=time.monotonic)

    @property
    def invoked_function_arn(self) -> str:
        """Return an ARN in the region and account of the modelled event sources."""
        return f"arn:aws:lambda:eu-west-1:123456789012:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        """Return the log group that Lambda creates for the function."""
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        """Return the name of a log stream, in Lambda's format."""
        return f"2026/11/23/[{self.function_version}]0123456789abcdef0123456789abcdef"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the timeout, at least 0."""
        return max(0, int((self.started + self.timeout - time.monotonic()) * 1000))
