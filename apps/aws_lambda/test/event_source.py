"""What all event sources have in common: events in, results out, sizes, prefixes."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from uuid import uuid4

from .wire import (
    Headers,
    InvalidResult,
    Rejected,
    Request,
    Response,
    json_size,
)

type Event = dict[str, Any]
type Handler = Callable[[Event, Any], Any]

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
# A synchronous payload is 6 MB in each direction. Lambda counts the JSON and
# allows 100 bytes more: 6 * 1024 * 1024 + 100.
LAMBDA_PAYLOAD = 6_291_556


@dataclass(frozen=True)
class EventSource(ABC):
    """
    A model of one AWS service, set up in one way, in front of the function.

    ``prefix`` is the part of the public URL that the application is mounted
    under, without a trailing slash. ``handler_options`` are the arguments that
    ``make_handler`` needs behind this event source. The class attributes are limits of
    the service, which no code in the function can lift.
    """

    name: str
    host: str
    prefix: str = ""
    handler_options: Mapping[str, Any] = field(default_factory=dict)

    max_request: ClassVar[int] = LAMBDA_PAYLOAD
    max_response: ClassVar[int] = LAMBDA_PAYLOAD
    # Status of the event source's own response to a result it cannot use.
    fault_status: ClassVar[int] = 502

    # The query string arrives byte for byte; otherwise it arrives as a table,
    # so `?flag` becomes `?flag=` and the order between different names is lost.
    query_as_sent: ClassVar[bool] = False
    # Escapes in the query that are not UTF-8 survive.
    any_query_bytes: ClassVar[bool] = True
    # `?x=1&x=2` keeps both values.
    repeated_parameters: ClassVar[bool] = True
    # Two request headers of one name both arrive, as two or joined.
    repeated_headers: ClassVar[bool] = True
    # A text body in another encoding than UTF-8 arrives unharmed.
    any_text_body: ClassVar[bool] = True
    # Response headers that reach the client under `x-amzn-Remapped-...`.
    renamed_headers: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def event(self, request: Request) -> Event:
        """Return the event for a request, or raise Rejected."""

    @abstractmethod
    def read(self, result: Any) -> Response:
        """Return the response that a result stands for, or raise InvalidResult."""

    def carries_path(self, path: str) -> bool:
        """Tell whether the function can learn what this raw path was."""
        return True

    def send(
        self, handler: Handler, request: Request, context: object = None
    ) -> Response:
        """
        Pass a request through the event source to a handler, and its result back.

        An exception of the handler is not caught, although AWS would answer
        502: a test is to see it. Both payloads go through JSON, as they do on
        Lambda.
        """
        try:
            payload = json.dumps(self.event(request))
        except Rejected as rejected:
            return self.answer(rejected.status, str(rejected))
        if len(payload) > self.max_request:
            return self.answer(413, f"the event has {len(payload)} bytes")
        result = handler(json.loads(payload), context)
        try:
            size = json_size(result)
            if size > self.max_response:
                raise InvalidResult(f"the result has {size} bytes")
            response = self.read(json.loads(json.dumps(result)))
        except (InvalidResult, TypeError, ValueError) as error:
            return self.answer(self.fault_status, str(error))
        return finished(response, request.method)

    def answer(self, status: int, reason: str) -> Response:
        """Return the event source's own response, which does not give the reason."""
        body = b'{"message": "Internal server error"}' if status >= 500 else b"{}"
        return Response(status, (("Content-Type", "application/json"),), body, reason)

    def inside(self, path: str) -> str:
        """Return a public path without the prefix; raise Rejected if it is outside."""
        if path != self.prefix and not path.startswith(f"{self.prefix}/"):
            raise Rejected(403, f"{path} is not under {self.prefix}")
        return path.removeprefix(self.prefix)


def finished(response: Response, method: str) -> Response:
    """Leave out the body where HTTP has none, and let Content-Length be true."""
    empty = method == "HEAD" or response.status in (204, 304)
    headers: Headers = tuple(
        pair for pair in response.headers if pair[0].lower() != "content-length"
    )
    if not empty:
        headers += (("Content-Length", str(len(response.body))),)
    elif method == "HEAD":
        headers += tuple(
            ("Content-Length", n) for n in response.values("content-length")
        )
    return Response(response.status, headers, b"" if empty else response.body)


def forwarded_for(request: Request) -> str:
    """Return X-Forwarded-For: what the client claimed, then who it really is."""
    return ", ".join([*request.values("X-Forwarded-For"), request.client])


def decoded_query(query: str) -> dict[str, list[str]]:
    """Return a query string as a table of decoded values."""
    table: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        table.setdefault(name, []).append(value)
    return table


def without(request: Request, *names: str) -> list[tuple[str, str]]:
    """Return the headers of a request that are not among these lowercase names."""
    return [pair for pair in request.headers if pair[0].lower() not in names]


def new_request_id() -> str:
    """Return an ID as the event source makes it; a client cannot choose it."""
    return str(uuid4())


def clock() -> tuple[str, int]:
    """Return the time of a request in the two forms that events have it."""
    now = datetime.now(UTC)
    return now.strftime("%d/%b/%Y:%H:%M:%S +0000"), int(now.timestamp() * 1000)
