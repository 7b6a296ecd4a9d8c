"""The parts of an HTTP request, as doors write them, in the form WSGI wants."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

# The tokens of RFC 9110 without the underscore. WSGI turns "-" into "_": a
# client's "x_forwarded_for" would replace the gateway's X-Forwarded-For.
HEADER_NAME = re.compile(r"[-!#$%&'*+.^`|~0-9A-Za-z]+")

# Printable ASCII, which quote() is to leave alone.
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Request(NamedTuple):
    """
    One HTTP request.

    script_name, path_info and header values are WSGI strings: bytes decoded as
    Latin-1 (PEP 3333). Header names are in lower case, without cookies.
    """

    method: str
    script_name: str
    path_info: str
    query: str
    headers: dict[str, str]
    cookie: str
    client: str
    scheme: str
    host: str
    protocol: str
    body: bytes
    request_id: str


def wsgi_string(text: str) -> str:
    """Return decoded text as a WSGI string: its UTF-8 bytes as Latin-1."""
    return text if text.isascii() else text.encode().decode("latin-1")


def decode_path(path: str) -> str:
    """Return a percent-encoded path, as it was on the wire, as a WSGI string."""
    if "%" not in path and path.isascii():
        return path
    return unquote_to_bytes(path).decode("latin-1")


def encode_query(query: str) -> str:
    """Percent-encode what may not stand in a query string; leave the rest."""
    return query if query.isascii() else quote(query, safe=PRINTABLE)


def strip_prefix(path: str, prefix: str) -> str | None:
    """Return the path below the prefix, or None: "/prod" is not in "/products"."""
    if path == prefix:
        return "/"
    return path[len(prefix) :] if path.startswith(prefix + "/") else None


def join_headers(
    headers: Mapping[str, Iterable[str]],
) -> tuple[dict[str, str], str]:
    """
    Return the headers, one value a name, and the Cookie header.

    Names that WSGI would confuse with others are dropped, and so are values
    that would start a new line. Raises TypeError if a value is not a string.
    """
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for name, values in headers.items():
        if not HEADER_NAME.fullmatch(name):
            continue
        name = name.lower()
        for value in values:
            if "\n" in value or "\r" in value or "\0" in value:
                continue
            if name == "cookie":
                cookies.append(wsgi_string(value))
            elif name in joined:
                joined[name] += ", " + wsgi_string(value)
            else:
                joined[name] = wsgi_string(value)
    return joined, "; ".join(cookies)


def split_host(host: str) -> tuple[str, str]:
    """Return the name and the port of a Host header; the port may be empty."""
    name, colon, port = host.rpartition(":")
    # The colons of an IPv6 address without a port stand before its bracket.
    return (name, port) if colon and port.isdigit() else (host, "")
