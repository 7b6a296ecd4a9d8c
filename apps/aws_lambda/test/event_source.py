"""The base class of all event sources: requests to events, results to responses."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar
from urllib.parse import parse_qsl
from uuid import uuid4

from ..aws.limits import MAX_PAYLOAD_BYTES
from .wire import (
    Headers,
    InvalidResult,
    Rejected,
    Request,
    Response,
    Streamed,
    invoke,
    json_size,
)

type Event = dict[str, Any]
type Handler = Callable[[Event, Any], Any]


@dataclass(frozen=True)
class EventSource(ABC):
    """
    A model of an AWS service in one configuration, which invokes the function.

    ``prefix`` is the public path below which it serves the application, without a
    trailing slash. ``handler_options`` are the arguments that ``make_handler`` needs
    behind it. The class attributes are limits of the service, which no code in the
    function can change. Sizes are in bytes.
    """

    name: str
    host: str
    prefix: str = ""
    handler_options: Mapping[str, Any] = field(default_factory=dict)

    max_request: ClassVar[int] = MAX_PAYLOAD_BYTES
    max_response: ClassVar[int] = MAX_PAYLOAD_BYTES
    max_prelude: ClassVar[int | None] = None
    # The status of the response if the function's result is invalid.
    fault_status: ClassVar[int] = 502

    # The query string arrives byte for byte. Otherwise it arrives as a dictionary:
    # `?flag` becomes `?flag=`, and the order of different names is lost.
    preserves_query: ClassVar[bool] = False
    # Escapes in the query string that are not UTF-8 arrive.
    preserves_query_bytes: ClassVar[bool] = True
    # Both values of `?x=1&x=2` arrive.
    repeated_parameters: ClassVar[bool] = True
    # Both of two request headers with the same name arrive, separate or joined.
    repeated_headers: ClassVar[bool] = True
    # A text body that is not UTF-8 arrives unchanged.
    preserves_text_bytes: ClassVar[bool] = True
    # Response headers that reach the client as `x-amzn-Remapped-...`.
    renamed_headers: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def event(self, request: Request) -> Event:
        """Return the event for a request, or raise Rejected."""

    @abstractmethod
    def read(self, result: Any) -> Response:
        """Return the response for a result, or raise InvalidResult."""

    def preserves_path(self, path: str) -> bool:
        """Return whether the event contains all of this raw path."""
        return True

    def send(
        self, handler: Handler, request: Request, context: object = None
    ) -> Response:
        """
        Return the response to a request that the handler serves.

        An exception of the handler escapes, so that a test sees it; AWS would
        respond with 502. Event and result are encoded as JSON, as on Lambda. If it
        streams, a handler of this package answers as to its runtime client.
        """
        try:
            payload = json.dumps(self.event(request))
        except Rejected as rejected:
            return self.answer(rejected.status, str(rejected))
        if len(payload) > self.max_request:
            return self.answer(413, f"the event has {len(payload)} bytes")
        invoked = partial(invoke, handler) if self.streams else handler
        result = invoked(json.loads(payload), context)
        try:
            if isinstance(result, Streamed) != self.streams:
                raise InvalidResult("one of function and event source does not stream")
            if isinstance(result, Streamed):
                return self.passed_on(result, request.method)
            size = json_size(result)
            if size > self.max_response:
                raise InvalidResult(f"the result has {size} bytes")
            response = self.read(json.loads(json.dumps(result)))
        except (InvalidResult, TypeError, ValueError) as error:
            return self.answer(self.fault_status, str(error))
        return finalized(response, request.method)

    @property
    def streams(self) -> bool:
        """Return whether it is configured for streamed responses."""
        return bool(self.handler_options.get("streaming"))

    def passed_on(self, result: Streamed, method: str) -> Response:
        """Return the response of a streamed result, or raise InvalidResult."""
        prelude, chunks = result.split(self.max_prelude)
        response = self.read(prelude)
        if method == "HEAD" or response.status in (204, 304):
            chunks = ()
        body = b"".join(chunks)
        return replace(response, body=body, chunks=chunks, cut=result.cut)

    def answer(self, status: int, reason: str) -> Response:
        """Return an error response of the event source, which hides the reason."""
        body = b'{"message": "Internal server error"}' if status >= 500 else b"{}"
        return Response(status, (("Content-Type", "application/json"),), body, reason)

    def strip_prefix(self, path: str) -> str:
        """Return a public path without the prefix; raise Rejected if it has none."""
        if path != self.prefix and not path.startswith(f"{self.prefix}/"):
            raise Rejected(403, f"{path} is not under {self.prefix}")
        return path.removeprefix(self.prefix)


def finalized(response: Response, method: str) -> Response:
    """Remove the body where HTTP forbids one, and set Content-Length."""
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
    """Return X-Forwarded-For: what the client sent, then its address."""
    return ", ".join([*request.values("X-Forwarded-For"), request.client])


def decoded_query(query: str) -> dict[str, list[str]]:
    """Return the decoded values of each name in a query string."""
    table: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        table.setdefault(name, []).append(value)
    return table


def without(request: Request, *names: str) -> list[tuple[str, str]]:
    """Return the headers of a request except those with these lowercase names."""
    return [pair for pair in request.headers if pair[0].lower() not in names]


def new_request_id() -> str:
    """Return a request ID as the event source assigns it."""
    return str(uuid4())


def clock() -> tuple[str, int]:
    """Return the current time in the two formats of an event."""
    now = datetime.now(UTC)
    return now.strftime("%d/%b/%Y:%H:%M:%S +0000"), int(now.timestamp() * 1000)
