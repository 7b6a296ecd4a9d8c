"""An HTTP response on its way from WSGI to a result of the handler."""

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import pybase64

from .request import from_wsgi, is_header_name

logger = logging.getLogger(__name__)

# A result without ``body`` and ``isBase64Encoded``.
Fields = dict[str, Any]
Result = dict[str, Any]
Headers = list[tuple[str, str]]

# What JSON writes as two characters, and as the six of "\u0000".
ESCAPED_BY_ONE = b'"\\\b\f\n\r\t'
ESCAPED_BY_FIVE = bytes({*range(32)} - {*b"\b\f\n\r\t"})
# The first must be replaced first.
ESCAPES = [
    (b"\\", b"\\\\"),
    (b'"', b'\\"'),
    (b"\n", b"\\n"),
    (b"\r", b"\\r"),
    (b"\t", b"\\t"),
]
UNUSUAL = bytes({*range(32)} - {*b"\n\r\t"})
# Below this, the encoder of json is quicker than to replace each of them.
SMALL_BYTES = 2048
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode

# No event source accepts a 1xx.
STATUS = re.compile(r"[2-5][0-9]{2}( |$)")
# A line break would start a header, or a whole response, that the client controls.
CONTROL = bytes({*range(32), 127} - {ord("\t")})

# Between two hops, so not for an application to set (RFC 9110, section 7.6.1).
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# Of these a response has one. All others are lists, which a comma joins.
SINGLE = {
    "age",
    "content-disposition",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expires",
    "last-modified",
    "location",
    "retry-after",
    "server",
    "x-frame-options",
    "x-request-id",
}

# A body of these types in a subset of UTF-8 can travel as text. Everything else
# travels as base64.
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
TEXT_SUFFIXES = ("+json", "+xml")
TEXT_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


# Ends the headers of a streamed result.
# https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
END_OF_PRELUDE = bytes(8)


class Rest(NamedTuple):
    """What an application still makes of a body: chunks, and what closes them."""

    chunks: Iterator[bytes]
    close: Callable[[], object]


class Response:
    """
    One HTTP response.

    Header names are in lower case and have one value each; Set-Cookie, which
    cannot be joined, is separate. Values are text and no longer WSGI strings.
    ``rest`` follows the body, if the response is streamed and more than that.
    """

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        cookies: list[str],
        body: bytes,
        rest: Rest | None = None,
    ) -> None:
        self.status, self.headers, self.cookies = status, headers, cookies
        self.body, self.rest = body, rest


def read_wsgi(status: str, headers: Headers, body: bytes) -> Response:
    """
    Return what a WSGI application answered.

    Raises ValueError or TypeError if it violates PEP 3333.
    """
    joined, cookies = _joined(headers)
    octets = "".join([*joined.values(), *cookies]).encode("latin-1")
    if len(octets.translate(None, CONTROL)) < len(octets):
        raise ValueError(
            f"The response headers contain a control character: {headers!r}"
        )
    if not octets.isascii():
        joined, cookies = _joined([(name, from_wsgi(value)) for name, value in headers])
    return Response(_code(status), joined, cookies, body)


def conform(response: Response, method: str) -> None:
    """
    Change the response to a request of this method, so that RFC 9110 allows it.

    Without a body after HEAD and with 204 and 304; with a Content-Length that is
    true, or without one. That of a streamed response is compared at its end.
    """
    body, length = response.body, response.headers.get("content-length")
    bodiless = response.status in (204, 304)
    if response.rest:
        true = length if length and length.isdecimal() else None
    elif method == "HEAD" or bodiless:
        # What a GET would have returned: its body, where the application has made
        # it, or what the application says. A 204 must not have any, and a 304
        # without a body cannot be checked.
        true = str(len(body)) if body else length
        if bodiless or not (true and true.isdecimal()):
            true = None
        response.body = b""
    else:
        true = None if length is None else str(len(body))
    if true:
        response.headers["content-length"] = true
    else:
        response.headers.pop("content-length", None)


class Payload(list[bytes]):
    """A result of the handler as JSON in UTF-8, in parts: the body is not copied."""


def write_result(fields: Fields, response: Response) -> Result:
    """Return the fields with the body, as AWS's runtime client writes it as JSON."""
    fields["body"], fields["isBase64Encoded"] = encode_body(response)
    return fields


def write_payload(fields: Fields, response: Response) -> Payload:
    """
    Return the same as JSON, for the runtime client of this project.

    The body never is a string: to decode it, to escape it as JSON and to encode it
    again takes four times as long.
    """
    if len(response.body) <= SMALL_BYTES:
        return Payload([encode(write_result(fields, response)).encode()])
    start = encode(fields).encode()[:-1]
    text = json_text(response)
    if text is not None:
        return Payload([start + b', "isBase64Encoded": false, "body": "', text, b'"}'])
    body = pybase64.b64encode(response.body)
    return Payload([start + b', "isBase64Encoded": true, "body": "', body, b'"}'])


def write_prelude(fields: Fields) -> bytes:
    """Return what precedes the body of a streamed result."""
    return encode(fields).encode() + END_OF_PRELUDE


def json_text(response: Response) -> bytes | None:
    """Return the body as the inside of a string of JSON; None if it must be base64."""
    body = response.body
    if not may_be_text(response):
        return None
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            return None
    if len(body.translate(None, UNUSUAL)) < len(body):
        return encode(body.decode())[1:-1].encode()
    for plain, escaped in ESCAPES:
        body = body.replace(plain, escaped)
    return body


def result_bytes(result: Mapping[str, Any], body: bytes) -> int:
    """
    Return the size of a result as JSON, without encoding its body once more.

    ``body`` is the body before it was made a string.
    """
    size = len(json.dumps({**result, "body": ""}, ensure_ascii=False).encode())
    if result["isBase64Encoded"]:
        return size + len(result["body"])
    size += len(body)
    size += len(body) - len(body.translate(None, ESCAPED_BY_ONE))
    return size + 5 * (len(body) - len(body.translate(None, ESCAPED_BY_FIVE)))


def header_bytes(response: Response, limit: int) -> int:
    """Return the bytes of the headers as lines of HTTP if over the limit, else 0."""
    headers, cookies = response.headers, response.cookies
    text = "".join((*headers, *headers.values(), *cookies))
    # ": " and the line break.
    around = 4 * len(headers) + (4 + len("set-cookie")) * len(cookies)
    # UTF-8 has up to four bytes for a character.
    if 4 * len(text) + around <= limit:
        return 0
    size = len(text.encode()) + around
    return size if size > limit else 0


def encode_body(response: Response) -> tuple[str, bool]:
    """Return the body as a string, and whether that is base64 or the text itself."""
    if may_be_text(response):
        try:
            return response.body.decode(), False
        except UnicodeDecodeError:
            pass
    return pybase64.b64encode_as_string(response.body), True


def may_be_text(response: Response) -> bool:
    """Return whether the body is a text in UTF-8, by its headers."""
    headers = response.headers
    return not response.body or (
        "content-encoding" not in headers and _is_text(headers.get("content-type", ""))
    )


def is_text_type(media_type: str) -> bool:
    """Return whether a media type, in lower case, is that of a text."""
    return media_type.startswith(TEXT_TYPES) or media_type.endswith(TEXT_SUFFIXES)


@lru_cache(maxsize=256)
def _is_text(content_type: str) -> bool:
    media_type, _, parameters = content_type.lower().partition(";")
    if not is_text_type(media_type.strip()):
        return False
    _, found, charset = parameters.partition("charset=")
    return not found or charset.partition(";")[0].strip(' "') in TEXT_CHARSETS


def _joined(headers: Headers) -> tuple[dict[str, str], list[str]]:
    joined: dict[str, str] = {}
    cookies = []
    for given, value in headers:
        name = _name(given)
        if name == "set-cookie":
            # Django 5.2 writes a space before the name.
            cookies.append(value.strip())
        elif name:
            if name in joined and name not in SINGLE:
                value = f"{joined[name]}, {value}"
            joined[name] = value
    return joined, cookies


@lru_cache(maxsize=256)
def _name(given: str) -> str:
    """Return the header's name in lower case, or "" if it is to be dropped."""
    if not is_header_name(given):
        raise ValueError(f"Invalid header name: {given!r}")
    name = given.lower()
    if name not in HOP_BY_HOP:
        return name
    # Once for each name, because the answer is cached.
    logger.warning(
        "The application sets the header %s, which is dropped: it is for the "
        "connection between API Gateway and the client.",
        name,
    )
    return ""


@lru_cache(maxsize=256)
def _code(status: str) -> int:
    if not STATUS.match(status):
        raise ValueError(f"Invalid status line: {status!r}")
    return int(status[:3])
