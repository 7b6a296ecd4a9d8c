"""The parts of an HTTP response, as WSGI applications and event sources have them."""

import re
from functools import lru_cache
from typing import NamedTuple

from .request import from_wsgi, is_header_name

# The event sources take no 1xx.
STATUS = re.compile(r"[2-5][0-9]{2}( |$)")
# A line break would start a header, or a whole response, of the client's making.
CONTROL = bytes({*range(32), 127} - {ord("\t")})

Headers = list[tuple[str, str]]


class Response(NamedTuple):
    """
    One HTTP response.

    Header names are in lower case and have one value each; Set-Cookie, which
    cannot be joined, stands apart. Values are text and no longer WSGI strings.
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
