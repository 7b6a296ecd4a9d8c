"""
An HTTP request on its way from an event to WSGI.

The event sources encode the same request differently. Their readers undo that
with the functions of this module, and all of them return the same Request.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from hmac import compare_digest
from ipaddress import IPv6Address, ip_address
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import pybase64

from ..events import Event

# https://www.rfc-editor.org/rfc/rfc9110#name-tokens
HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")

# In a quoted value of a cookie. An even number of backslashes stands for backslashes.
QUOTED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\000")

# Printable ASCII, which quote() is to leave alone.
PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))


class Options(NamedTuple):
    """What no event contains: the arguments of ``gateway.make_gateway``."""

    base_path: str
    scheme: str
    trusted_proxies: int
    origin_secret: str


class Request:
    """
    One HTTP request.

    script_name, path_info and header values are WSGI strings: bytes decoded as
    Latin-1 (PEP 3333). Headers have the names that they have in the environ. Raises
    TypeError if one that must be text is not.
    """

    def __init__(
        self,
        method: str,
        script_name: str,
        path_info: str,
        query: str,
        client: str,
        scheme: str,
        host: str,
        protocol: str,
        request_id: str,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        "".join((method, script_name, path_info, query, client, scheme, host))
        "".join((protocol, request_id))
        self.method = method
        self.script_name = script_name
        self.path_info = path_info
        self.query = query
        self.client = client
        self.scheme = scheme
        self.host = host
        self.protocol = protocol
        self.request_id = request_id
        self.headers = headers
        self.body = body

    @property
    def has_nul(self) -> bool:
        """
        Return whether the path or the query contains NUL.

        An application that does not expect raw data in a URL should reject "%00".
        Django expects text, and neither PostgreSQL nor a file system accepts NUL in it.
        https://www.rfc-editor.org/rfc/rfc3986#section-7.3
        """
        return "\0" in self.path_info or "%00" in self.query


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


# Paths


def mount(
    path: str, base_path: str, *, prefix: str = "", public: str = ""
) -> tuple[str, str]:
    """
    Return SCRIPT_NAME and PATH_INFO, given LAMBDA_BASE_PATH or "", as WSGI strings.

    ``prefix`` is what the event source has before the ``path``, "/prod" or "";
    ``public`` is the part of it that the client sees. The base path is what the client
    sees, too. It is removed from the path only where no other prefix was: below a
    stage, "/shop" is the site's own. Raises ValueError for a path that does not start
    with a slash.
    """
    if not path.startswith("/"):
        raise ValueError("the path does not start with a slash")
    if not base_path:
        return public, path
    base_path = base_path.rstrip("/")
    if not prefix:
        path = strip_prefix(path, base_path) or path
    return base_path, path


def strip_prefix(path: str, prefix: str) -> str | None:
    """Return the path below the prefix, or None: "/prod" is not in "/products"."""
    if path == prefix:
        return "/"
    return path[len(prefix) :] if path.startswith(prefix + "/") else None


def decode_path(path: str) -> str:
    """Return a percent-encoded path, as it was on the wire, as a WSGI string."""
    if "%" not in path and path.isascii():
        return path
    return unquote_to_bytes(path).decode("latin-1")


def encode_query(query: str) -> str:
    """Percent-encode what is not allowed in a query string; keep the rest."""
    return query if query.isascii() else quote(query, safe=PRINTABLE)


# Headers


def read_headers(headers: Mapping[str, str | list[str]]) -> dict[str, str]:
    """
    Return the headers by their names in the environ, one value a name.

    Each comes with its value, or with a list of them. Names that WSGI would
    confuse with others are dropped, and so are values with a line break or NUL. Raises
    TypeError if a name or a value is not a string.
    """
    joined = _joined(headers)
    text = "".join(joined.values())
    if text.isascii() and not _breaks_line(text):
        return joined
    safe: dict[str, str | list[str]] = {}
    for name, given in headers.items():
        values = given if isinstance(given, list) else [given]
        values = [wsgi_string(v) for v in values if not _breaks_line(v)]
        if values:
            safe[name] = values
    return _joined(safe)


def _joined(headers: Mapping[str, Any]) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, given in headers.items():
        key = _keys[name] if name in _keys else _environ_key(name)
        if not key:
            continue
        separator = "; " if key == "HTTP_COOKIE" else ", "
        # What JSON has made is of no subclass, and this is the faster question.
        value = separator.join(given) if type(given) is list else given
        joined[key] = separator.join((joined[key], value)) if key in joined else value
    cookies = joined.get("HTTP_COOKIE")
    if cookies and r"\000" in cookies:
        joined["HTTP_COOKIE"] = _without_nul(cookies)
    return joined


def _without_nul(cookies: str) -> str:
    """
    Return the cookies without those whose value, once unquoted, contains NUL.

    Django unquotes ``"a\\000"`` with Python's http.cookies, and PostgreSQL cannot store
    NUL: each request with such a session cookie would fail. Without the cookie there
    is no session.
    https://www.postgresql.org/docs/current/datatype-character.html
    """
    pairs = cookies.split(";")
    return ";".join(p for p in pairs if not ('"' in p and QUOTED_NUL.search(p)))


def _breaks_line(value: str) -> bool:
    # Several times faster than a regular expression, and on every request's path.
    return "\n" in value or "\r" in value or "\0" in value


@lru_cache(maxsize=256)
def is_header_name(name: str) -> bool:
    """Return whether the name is a token in the sense of RFC 9110."""
    return HEADER_NAME.fullmatch(name) is not None


# Names in the environ by those that clients have sent. An lru_cache would take a third
# of the time in which headers are read.
_keys: dict[str, str] = {}
MAX_KEYS = 256


def _environ_key(name: str) -> str:
    """Return the header's name in the environ, or "" if it is to be dropped."""
    key = ""
    # WSGI turns "-" into "_": a client's "x_forwarded_for" would replace the
    # gateway's X-Forwarded-For.
    if "_" not in name and is_header_name(name):
        key = name.upper().replace("-", "_")
        # PEP 3333 gives these two no HTTP_ form. The length is that of the body.
        if key == "CONTENT_LENGTH":
            key = ""
        elif key != "CONTENT_TYPE":
            key = f"HTTP_{key}"
    if len(_keys) >= MAX_KEYS:
        _keys.clear()
    _keys[name] = key
    return key


@lru_cache(maxsize=256)
def split_host(host: str) -> tuple[str, str]:
    """Return the name and the port of a Host header; the port may be empty."""
    name, colon, port = host.rpartition(":")
    # The colons of an IPv6 address without a port are inside its brackets.
    return (name, port) if colon and port.isdigit() else (host, "")


# Clients


@lru_cache(maxsize=256)
def client_address(text: str) -> str:
    """
    Return the IP address in a source IP or in an entry of X-Forwarded-For, or "".

    On a domain with mutual TLS, API Gateway adds the port ("10.1.15.242:39870",
    "[2001:db8::1]:443"), and so does an ALB that is configured to. The console's
    test sends "test-invoke-source-ip". Raises TypeError for what is not a string.
    """
    if not isinstance(text, str):
        raise TypeError("a client address is not a string")
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ip_address(host)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.scope_id:
            # PostgreSQL's inet, and so Django's GenericIPAddressField, has no scope.
            return ""
        address = address.ipv4_mapped or address
    return str(address)


def forwarded_client(headers: Mapping[str, str], proxies: int) -> str:
    """
    Return the address that the outermost of the trusted proxies has seen, or "".

    Each of them appends one entry to X-Forwarded-For. What is further left was
    written by the client. If there are fewer entries than proxies, the request has
    bypassed some of them, and AWS has written the last entry only.
    """
    entries = headers.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return client_address(entries[-proxies if proxies <= len(entries) else -1])


def has_origin_secret(headers: Mapping[str, Any], secrets: str) -> bool:
    """
    Return whether X-Origin-Secret is one of the secrets, separated by commas.

    A comparison takes the same time regardless of how much of the secret is right.
    """
    sent = headers.get("HTTP_X_ORIGIN_SECRET", "").encode()
    return any(compare_digest(sent, s.encode()) for s in secrets.split(",") if s)


def viewer_client(headers: Mapping[str, str]) -> str:
    """
    Return the address in CloudFront-Viewer-Address, or "".

    It always has a port, and an IPv6 address has no brackets: "2001:db8::1:46532".
    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/adding-cloudfront-headers.html
    """
    sent = headers.get("HTTP_CLOUDFRONT_VIEWER_ADDRESS", "")
    return client_address(sent.rpartition(",")[2].rpartition(":")[0])


# Bodies


def body_size(event: Event) -> int:
    """Return the bytes of the body as it is in the event, base64 or text."""
    body = event.get("body") or ""
    return len(body) if body.isascii() else len(body.encode())


def read_body(event: Event) -> bytes:
    """Return the body. Raise ValueError if it is not valid base64."""
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return pybase64.b64decode(body, validate=True)
    return body.encode()
