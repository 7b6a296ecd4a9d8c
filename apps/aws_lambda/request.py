"""The parts of an HTTP request, as doors write them, in the form WSGI wants."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

# https://www.rfc-editor.org/rfc/rfc9110#name-tokens
HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")

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
    cookie: str
    client: str
    scheme: str
    host: str
    protocol: str
    request_id: str
    headers: dict[str, str]
    body: bytes

    def check(self) -> "Request":
        """Return self, or raise TypeError if an event gave no string for one."""
        "".join(self[:-2])
        return self


def wsgi_string(text: str) -> str:
    """Return decoded text as a WSGI string: its UTF-8 bytes as Latin-1."""
    return text if text.isascii() else text.encode().decode("latin-1")


def from_wsgi(value: str) -> str:
    """Return the text that a WSGI string stands for: UTF-8, or else Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def decode_path(path: str) -> str:
    """Return a percent-encoded path, as it was on the wire, as a WSGI string."""
    if "%" not in path and path.isascii():
        return path
    return unquote_to_bytes(path).decode("latin-1")


def encode_query(query: str) -> str:
    """Percent-encode what may not stand in a query string; leave the rest."""
    return query if query.isascii() else quote(query, safe=PRINTABLE)


def join_headers(
    headers: Mapping[str, Iterable[str]],
) -> tuple[dict[str, str], str]:
    """
    Return the headers, one value a name, and the Cookie header.

    Names that WSGI would confuse with others are dropped, and so are values
    that would start a new line. Raises TypeError or AttributeError if a name or
    a value is not a string.
    """
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for given, values in headers.items():
        name = _header_name(given)
        if not name:
            continue
        for value in values:
            if not (value.isascii() and value.isprintable()):
                if "\n" in value or "\r" in value or "\0" in value:
                    continue
                value = wsgi_string(value)
            if name == "cookie":
                cookies.append(value)
            elif name in joined:
                joined[name] = f"{joined[name]}, {value}"
            else:
                joined[name] = value
    return joined, "; ".join(cookies)


@lru_cache(maxsize=256)
def is_header_name(name: str) -> bool:
    return HEADER_NAME.fullmatch(name) is not None


@lru_cache(maxsize=256)
def _header_name(name: str) -> str:
    """Return the name in lower case, or "" if it is to be dropped."""
    # WSGI turns "-" into "_": a client's "x_forwarded_for" would replace the
    # gateway's X-Forwarded-For.
    return name.lower() if is_header_name(name) and "_" not in name else ""


def split_host(host: str) -> tuple[str, str]:
    """Return the name and the port of a Host header; the port may be empty."""
    name, colon, port = host.rpartition(":")
    # The colons of an IPv6 address without a port stand before its bracket.
    return (name, port) if colon and port.isdigit() else (host, "")
