"""The event sources, and how each of them speaks."""

from collections.abc import Callable
from typing import NamedTuple

from ..events import Event
from . import incoming, outgoing
from .incoming import Options
from .outgoing import Result
from .request import Request
from .response import Response

# The largest result, in bytes of JSON, that Lambda returns and a load balancer
# takes.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
LAMBDA_LIMIT = 6_291_556
ALB_LIMIT = 1_048_576


class EventSource(NamedTuple):
    read: Callable[[Event, Options], Request]
    write: Callable[[Event, Response], Result]
    limit: int


# The keys are those of events.WEB.
EVENT_SOURCES = {
    "REST API": EventSource(incoming.rest_api, outgoing.payload_v1, LAMBDA_LIMIT),
    "HTTP API": EventSource(incoming.http_api, outgoing.payload_v2, LAMBDA_LIMIT),
    "HTTP API (payload 1.0)": EventSource(
        incoming.http_api_v1, outgoing.payload_v1, LAMBDA_LIMIT
    ),
    "Function URL": EventSource(
        incoming.function_url, outgoing.payload_v2, LAMBDA_LIMIT
    ),
    "ALB": EventSource(incoming.alb, outgoing.alb, ALB_LIMIT),
}
