"""The event sources, and how each of them speaks."""

from collections.abc import Callable
from typing import NamedTuple

from ..aws.limits import MAX_ALB_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES
from ..events import Event
from . import incoming, outgoing
from .incoming import Options
from .outgoing import Result
from .request import Request
from .response import Response


class EventSource(NamedTuple):
    read: Callable[[Event, Options], Request]
    write: Callable[[Event, Response], Result]
    limit: int


# The keys are those of events.WEB.
EVENT_SOURCES = {
    "REST API": EventSource(incoming.rest_api, outgoing.payload_v1, MAX_PAYLOAD_BYTES),
    "HTTP API": EventSource(incoming.http_api, outgoing.payload_v2, MAX_PAYLOAD_BYTES),
    "HTTP API (payload 1.0)": EventSource(
        incoming.http_api_v1, outgoing.payload_v1, MAX_PAYLOAD_BYTES
    ),
    "Function URL": EventSource(
        incoming.function_url, outgoing.payload_v2, MAX_PAYLOAD_BYTES
    ),
    "ALB": EventSource(incoming.alb, outgoing.alb, MAX_ALB_PAYLOAD_BYTES),
}
