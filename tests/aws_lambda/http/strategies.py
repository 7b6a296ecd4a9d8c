"""Strategies for valid HTTP requests and responses, and for malformed events."""

import string
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_from_bytes, quote_plus

from hypothesis import strategies as st

from tests.events import ALL, load_event

TOKEN = string.ascii_letters + string.digits + "-"
# Printable characters that both a JSON string and a header can contain.
VISIBLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
CHARACTERS = st.characters(exclude_categories=["Cs"])

# Headers that HTTP or an event source gives a meaning.
RESERVED = {
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "forwarded",
    "host",
    "server",
    "set-cookie",
    "status",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "www-authenticate",
}

names = (
    st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}[A-Za-z0-9]", fullmatch=True)
    .filter(lambda name: name.lower() not in RESERVED)
    .filter(lambda name: not name.lower().startswith(("x-forwarded-", "x-amzn-")))
)
# Spaces around a value are not part of it.
values = st.text(VISIBLE, max_size=30).map(str.strip)
headers = st.lists(st.tuples(names, values), max_size=6)
cookies = st.lists(
    st.tuples(
        st.text(TOKEN, min_size=1, max_size=8),
        st.text(TOKEN + "!#$%&'*+.^_`|~:/=,@()", max_size=12),
    ).map("=".join),
    max_size=4,
)

MEDIA_TYPES = [
    "application/json",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "application/vnd.api+json",
    "image/png",
    "multipart/form-data; boundary=a,b",
    "text/html; charset=utf-8",
    "text/plain",
    "text/plain; charset=latin-1",
]
bodies = st.one_of(
    st.just(b""), st.binary(max_size=200), st.text(max_size=60).map(str.encode)
)

segments = st.one_of(
    st.text(CHARACTERS, max_size=8).map(str.encode),
    st.binary(max_size=6),
    st.sampled_from(
        [b"prod", b"live", b"shop", b"admin", b"..", b"%2F", b"a/b", b"a?b"]
    ),
)


def escaped(segment: bytes, safe: str) -> str:
    """Percent-encode a segment, except for letters, digits and safe characters."""
    return quote_from_bytes(segment, safe=safe)


paths = st.lists(
    st.builds(escaped, segments, st.sampled_from(["", "~!$&'()*+,;=:@"])), max_size=4
).map(lambda parts: "/" + "/".join(parts))

parameters = st.lists(
    st.tuples(
        st.text(CHARACTERS, min_size=1, max_size=6), st.text(CHARACTERS, max_size=8)
    ),
    max_size=5,
)


def encoded(pairs: list[tuple[str, str]]) -> str:
    """Return the query string of these parameters."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


@dataclass(frozen=True)
class ApplicationResponse:
    """A response of an application."""

    status: int
    media_type: str
    headers: list[tuple[str, str]]
    cookies: list[str]
    chunks: list[bytes]


responses = st.builds(
    ApplicationResponse,
    st.sampled_from(
        [200, 201, 204, 206, 301, 302, 303, 304, 400, 404, 418, 451, 500, 503, 599]
    ),
    st.sampled_from(MEDIA_TYPES),
    headers,
    cookies,
    st.lists(bodies, max_size=3),
)

# Any JSON, with keys and values that are common in events.
# JSON can contain half of a surrogate pair, which is not a character.
WORDS = [
    "\ud800",
    "a\r\nb",
    "\x00",
    "2.0",
    "1.0",
    "$default",
    "GET",
    "REQUEST",
    "aws:sqs",
    "/",
    "",
    "%",
    "é",
    "203.0.113.7",
]
KEYS = [
    *(
        "body",
        "cookies",
        "elb",
        "headers",
        "http",
        "httpMethod",
        "identity",
        "isBase64Encoded",
    ),
    *(
        "multiValueHeaders",
        "multiValueQueryStringParameters",
        "path",
        "pathParameters",
        "proxy",
    ),
    *(
        "queryStringParameters",
        "rawPath",
        "rawQueryString",
        "Records",
        "requestContext",
    ),
    *(
        "resource",
        "sourceIp",
        "stage",
        "type",
        "version",
        "method",
        "protocol",
        "requestId",
    ),
    *(
        "domainName",
        "host",
        "content-type",
        "x-forwarded-for",
        "x-forwarded-proto",
        "cookie",
    ),
]
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(WORDS),
    st.text(max_size=12),
)
keys = st.one_of(st.sampled_from(KEYS), st.text(max_size=6))
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) in a JSON value."""
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return []
    return [place for key, child in items for place in [(value, key), *places(child)]]


@st.composite
def malformed_events(draw: Callable[[Any], Any]) -> Any:
    """Return a sample event with up to four random changes."""
    event = load_event(draw(st.sampled_from(sorted(ALL))))
    for _ in range(draw(st.integers(1, 4))):
        container, key = draw(st.sampled_from(places(event) or [({}, "")]))
        match draw(st.sampled_from(["delete", "replace", "replace", "add"])):
            case "delete":
                container.pop(key, None) if isinstance(
                    container, dict
                ) else container.clear()
            case "replace":
                container[key] = draw(json_values)
            case _:
                event[draw(keys)] = draw(json_values)
    return event
