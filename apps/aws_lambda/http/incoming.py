"""
Read each event source's event as one and the same Request.

The event sources encode the same HTTP request differently; a reader undoes what its
event source did. Readers raise TypeError, KeyError, AttributeError or ValueError if the
event does not have the documented shape.
"""

from typing import NamedTuple
from urllib.parse import urlencode

import pybase64

from ..events import Event
from . import paths as mount
from .request import Request, encode_query, read_headers


class Options(NamedTuple):
    """What no event tells: the arguments of ``gateway.make_handler``."""

    base_path: str
    scheme: str
    trusted_proxies: int


def rest_api(event: Event, options: Options) -> Request:
    return _read_v1(event, options, mount.rest_api(event), encode=True)


def http_api_v1(event: Event, options: Options) -> Request:
    return _read_v1(event, options, mount.http_api(event, event["path"]), encode=True)


def http_api(event: Event, options: Options) -> Request:
    return _read_v2(event, options, mount.http_api(event, event["rawPath"]))


def function_url(event: Event, options: Options) -> Request:
    return _read_v2(event, options, mount.at_root(event["rawPath"]))


def alb(event: Event, options: Options) -> Request:
    request = _read_v1(event, options, mount.at_root(event["path"]), encode=False)
    # The balancer appends; what stands further left is the client's own word.
    forwarded = request.headers.get("HTTP_X_FORWARDED_FOR", "").split(",")
    scheme = request.headers.get("HTTP_X_FORWARDED_PROTO", "").split(",")[-1].strip()
    return request._replace(
        client=_without_port(forwarded[-options.trusted_proxies :][0].strip()),
        scheme=scheme if scheme in ("http", "https") else options.scheme,
    )


def _read_v1(
    event: Event, options: Options, mounted: mount.Mount, *, encode: bool
) -> Request:
    """Read a REST API's event, whose format HTTP API 1.0 and ALB share."""
    context = event["requestContext"]
    headers = read_headers(_either(event, "multiValueHeaders", "headers"))
    query = _either(event, "multiValueQueryStringParameters", "queryStringParameters")
    script_name, path_info = mounted.under(options.base_path)
    return Request(
        method=event["httpMethod"],
        script_name=script_name,
        path_info=path_info,
        query=_query(query, encode=encode) if query else "",
        client=context.get("identity", {}).get("sourceIp") or "",
        scheme=options.scheme,
        host=headers.get("HTTP_HOST") or context.get("domainName") or "",
        protocol=context.get("protocol") or "HTTP/1.1",
        request_id=context.get("requestId") or "",
        headers=headers,
        body=_body(event),
    )


def _read_v2(event: Event, options: Options, mounted: mount.Mount) -> Request:
    """Read an event of payload format 2.0."""
    context = event["requestContext"]
    given, cookies = event.get("headers") or {}, event.get("cookies")
    if not isinstance(cookies, list | None):
        raise TypeError("cookies is no list")
    # A Function URL gives the cookies twice, here and in the headers.
    headers = read_headers({**given, "cookie": cookies} if cookies else given)
    script_name, path_info = mounted.under(options.base_path)
    return Request(
        method=context["http"]["method"],
        script_name=script_name,
        path_info=path_info,
        query=encode_query(event.get("rawQueryString") or ""),
        client=context["http"].get("sourceIp") or "",
        scheme=options.scheme,
        host=headers.get("HTTP_HOST") or context.get("domainName") or "",
        protocol=context["http"].get("protocol") or "HTTP/1.1",
        request_id=context.get("requestId") or "",
        headers=headers,
        body=_body(event),
    )


def _either(event: Event, multi: str, single: str) -> dict[str, str | list[str]]:
    """Return what stands under ``multi``, or else under ``single``."""
    # Either is null in the console's test event. An ALB sends one of the two.
    values = event.get(multi)
    return values if values is not None else event.get(single) or {}


def _query(parameters: dict[str, str | list[str]], *, encode: bool) -> str:
    pairs = [
        (name, value)
        for name, given in parameters.items()
        for value in (given if isinstance(given, list) else [given])
    ]
    if not all(isinstance(value, str) for _, value in pairs):
        raise TypeError("a query parameter is no string")
    if encode:
        return urlencode(pairs)
    # An ALB hands keys and values over as they were on the wire.
    return encode_query("&".join([f"{name}={value}" for name, value in pairs]))


def body_size(event: Event) -> int:
    """Return the bytes of the body as it stands in the event."""
    body = event.get("body") or ""
    return len(body) if body.isascii() else len(body.encode())


def _body(event: Event) -> bytes:
    body = event.get("body") or ""
    if event.get("isBase64Encoded"):
        return pybase64.b64decode(body, validate=True)
    return body.encode()


def _without_port(address: str) -> str:
    # An ALB can be told to append the client's port.
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
