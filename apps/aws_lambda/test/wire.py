"""HTTP as the client sees it: requests, responses, and their parts in events."""

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

type Headers = tuple[tuple[str, str], ...]

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# Every other body arrives as base64, including forms and bodies without a type.
TEXT = re.compile(r"text/.*|application/(json|javascript|xml)")


@dataclass(frozen=True)
class Request:
    """
    A request as a client sends it.

    ``target`` is the raw request target, such as ``/admin/a%2Fb?x=1&x=2``:
    ASCII, percent-encoded, with the event source's public prefix. ``client`` is the
    address of the client. ``scheme`` is used by an ALB only: the other event sources
    do not listen on plain HTTP.
    """

    method: str
    target: str
    headers: Headers = ()
    body: bytes = b""
    client: str = "203.0.113.7"
    scheme: str = "https"

    def __post_init__(self) -> None:
        if not (self.target.isascii() and self.target.startswith("/")):
            raise ValueError(
                f"A request target is ASCII and starts with a slash: {self.target!r}"
            )

    @property
    def path(self) -> str:
        """Return the part of the target before the first question mark."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """Return the part of the target after the first question mark."""
        return self.target.partition("?")[2]

    def header(self, name: str) -> str | None:
        """Return the last value of a header, or None. Case is ignored."""
        values = self.values(name)
        return values[-1] if values else None

    def values(self, name: str) -> list[str]:
        """Return all values of a header, in order. Case is ignored."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True)
class Response:
    """
    A response as the client receives it.

    ``fault`` is "" unless the event source itself made the response: then it is what
    was wrong with the request or with the function's result. ``chunks`` are the parts
    of a body that was streamed, and ``cut`` is "" unless it is incomplete.
    """

    status: int
    headers: Headers = ()
    body: bytes = b""
    fault: str = ""
    chunks: tuple[bytes, ...] = ()
    cut: str = ""

    def values(self, name: str) -> list[str]:
        """Return all values of a header, in order. Case is ignored."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@dataclass(frozen=True)
class Streamed:
    """
    A result that the function has streamed: what Lambda has received.

    ``parts`` are the chunks that it has sent, and ``cut`` is the type of the error in
    the trailers, or "".
    """

    parts: tuple[bytes, ...]
    cut: str = ""

    def split(self, max_prelude: int | None = None) -> tuple[Any, tuple[bytes, ...]]:
        """
        Return the prelude and the chunks of the body, or raise InvalidResult.

        At most ``max_prelude`` bytes are read for the prelude with its end, if given.
        """
        prelude, found, first = b"".join(self.parts[:1]).partition(bytes(8))
        if not found:
            raise InvalidResult("the first chunk has no end of the prelude")
        if max_prelude and len(prelude + found) > max_prelude:
            raise InvalidResult(f"the prelude has {len(prelude)} bytes")
        return json.loads(prelude), tuple(filter(None, (first, *self.parts[1:])))


class StreamReply:
    """What a handler answers to a runtime client that streams, in ``value``."""

    value: Any = None

    def result(self, value: Any) -> None:
        self.value = value

    def payload(self, parts: Iterable[bytes]) -> None:
        self.value = json.loads(b"".join(parts))

    def stream(self, parts: Any) -> None:
        received = tuple(parts)
        kind, _ = parts.fault or ("", "")
        self.value = Streamed(received, kind)

    def error(self, error: BaseException) -> None:
        raise error


def invoke(handler: Any, event: Any, context: object) -> Any:
    """Return what a handler answers to the runtime client of this package."""
    if not hasattr(handler, "answer"):
        # Something that wraps it.
        return handler(event, context)
    reply = StreamReply()
    handler.answer(event, context, reply)
    return reply.value


class Rejected(Exception):
    """The event source rejects a request, and does not invoke the function."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class InvalidResult(Exception):
    """The event source cannot turn a function's result into a response."""


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the values of each name. Case is ignored; the first name is kept."""
    names: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for name, value in pairs:
        groups.setdefault(names.setdefault(name.lower(), name), []).append(value)
    return groups


def last_values(groups: Mapping[str, list[str]]) -> dict[str, str]:
    """Return the last value of each name."""
    return {name: values[-1] for name, values in groups.items()}


def is_text(request: Request) -> bool:
    """Return whether an event source passes on the body as text, by its type."""
    media_type = (request.header("Content-Type") or "").partition(";")[0]
    return bool(TEXT.fullmatch(media_type.strip().lower()))


def body_fields(body: bytes, *, base64: bool) -> dict[str, Any]:
    """Return the two fields of an event that hold the request body."""
    if base64 and body:
        return {"body": b64encode(body).decode(), "isBase64Encoded": True}
    # A JSON string contains characters, not bytes. What an event source makes of text
    # that is not UTF-8 is not documented.
    return {"body": body.decode(errors="replace"), "isBase64Encoded": False}


def read_status(result: Mapping[str, Any]) -> int:
    """Return the status of a result, or raise InvalidResult."""
    status = result.get("statusCode")
    if type(status) is not int or not 200 <= status <= 599:
        raise InvalidResult(f"statusCode is {status!r}")
    return status


def read_body(result: Mapping[str, Any]) -> bytes:
    """Return the body of a result as bytes, or raise InvalidResult."""
    body = result.get("body")
    encoded = result.get("isBase64Encoded", False)
    if body is not None and type(body) is not str:
        raise InvalidResult(f"body is of type {type(body).__name__}")
    if type(encoded) is not bool:
        raise InvalidResult(f"isBase64Encoded is {encoded!r}")
    try:
        return (
            b64decode(body or "", validate=True) if encoded else (body or "").encode()
        )
    except ValueError as error:
        raise InvalidResult(
            f"isBase64Encoded is {encoded}, and body is invalid: {error}"
        ) from error


def read_headers(value: object, *, lists: bool) -> list[tuple[str, str]]:
    """Return the headers in a field of a result, or raise InvalidResult."""
    if value is None:
        return []
    if not isinstance(value, dict):
        raise InvalidResult(f"the headers are of type {type(value).__name__}")
    pairs = []
    for name, item in value.items():
        if lists and not isinstance(item, list):
            raise InvalidResult(f"the values of {name!r} are not a list")
        for text in item if lists else [item]:
            check_header(name, text)
            pairs.append((name, text))
    return pairs


def check_header(name: object, value: object) -> None:
    """Raise InvalidResult unless name and value are allowed in a response."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidResult(f"{name!r} is not a header name")
    if not isinstance(value, str) or CONTROL.search(value):
        raise InvalidResult(f"the value of {name!r} is {value!r}")


def json_size(value: object) -> int:
    """Return the bytes of the JSON that Python's runtime client sends for a value."""
    return len(json.dumps(value, ensure_ascii=False).encode())
