"""
Test a Django site through the event sources of AWS Lambda.

Use ``LambdaClient`` where you would use ``django.test.Client``.
"""

from .client import LambdaClient, LambdaResponse
from .context import LambdaContext
from .event_sources import (
    EVENT_SOURCES,
    STREAMED_EVENT_SOURCES,
    EventSource,
    Request,
    Response,
)

__all__ = [
    "EVENT_SOURCES",
    "STREAMED_EVENT_SOURCES",
    "EventSource",
    "LambdaClient",
    "LambdaContext",
    "LambdaResponse",
    "Request",
    "Response",
]
