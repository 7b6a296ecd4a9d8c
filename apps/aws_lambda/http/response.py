"""An HTTP response on its way from WSGI to a result of the handler."""

import re
from functools import lru_cache
from typing import Any, NamedTuple

import pybase64

from .request import from_wsgi, is_header_name

Result = dict[str, Any]
Headers = list[tuple[str, str]]

# No event source accepts a 1xx.
STATUS = re.compile(r"[2-5][0-9]{2}( |$)")
# A line break would start a header, or a whole response, of the client's making.
CONTROL = bytes({*range(32), 127} - {ord("\t")})

# A body of these types in a subset of UTF-8 can travel as text. Everything else
# travels as base64.
TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")
TEXT_SUFFIXES = ("+json", "+xml")
TEXT_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")


class Response(NamedTuple):
    """
    One HTTP response.

    Header names are in lower case and have one value each; Set-Cookie, which
    cannot be joined, is separate. Values are text and no longer WSGI strings.
    """

    status: int
    headers: dict[str, str]
    cookies: list[str]
    body: bytes


def read_wsgi(status: str, headers: Headers, body: bytes) -> Response:
    """
    Return what a WSGI application answered.

    Raises ValueError or TypeError if it broke the rules of PEP 3333.
    """
    joined, cookies = _joined(headers)
    text = "".join([*joined.values(), *cookies])
    octets = text.encode("latin-1")
    if len(octets.translate(None, CONTROL)) < len(octets):
        raise ValueError(f"A control character in the headers {headers!r}")
    if not text.isascii():
        joined, cookies = _joined([(name, from_wsgi(value)) for name, value in headers])
    return Response(_code(status), joined, cookies, body)


def encode_body(response: Response) -> tuple[str, bool]:
    """Return the body as a string, and whether that is base64 or the text itself."""
    body, headers = response.body, response.headers
    if not body or (
        "content-encoding" not in headers and _is_text(headers.get("content-type", ""))
    ):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return pybase64.b64encode_as_string(body), True


@lru_cache(maxsize=256)
def _is_text(content_type: str) -> bool:
    media_type, _, parameters = content_type.lower().partition(";")
    media_type = media_type.strip()
    if not (media_type.startswith(TEXT_TYPES) or media_type.endswith(TEXT_SUFFIXES)):
        return False
    _, found, charset = parameters.partition("charset=")
    return not found or charset.partition(";")[0].strip(' "') in TEXT_CHARSETS


def _joined(headers: Headers) -> tuple[dict[str, str], list[str]]:
    joined: dict[str, str] = {}
    cookies = []
    for given, value in headers:
        name = _lower(given)
        if name == "set-cookie":
            cookies.append(value)
        else:
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined, cookies


@lru_cache(maxsize=256)
def _lower(name: str) -> str:
    if not is_header_name(name):
        raise ValueError(f"Not a header name: {name!r}")
    return name.lower()


@lru_cache(maxsize=256)
def _code(status: str) -> int:
    if not STATUS.match(status):
        raise ValueError(f"Not an HTTP status: {status!r}")
    return int(status[:3])
