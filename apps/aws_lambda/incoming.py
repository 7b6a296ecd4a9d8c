"""
Read each door's event as one and the same Request.

The doors encode the same HTTP request differently; a reader undoes what its
door did. Readers raise TypeError, KeyError, AttributeError or ValueError if the
event does not have the documented shape.
"""

from typing import NamedTuple
from urllib.parse import urlencode

import pybase64

from . import mount
from .events import Event
from .request import Request, encode_query, join_headers, wsgi_string


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
    forwarded = request.headers.get("x-forwarded-for", "").split(",")
    scheme = request.headers.get("x-forwarded-proto", "").split(",")[-1].strip()
    return request._replace(
        client=_without_port(forwarded[-options.trusted_proxies :][0].strip()),
        scheme=scheme if scheme in ("http", "https") else options.scheme,
    )


def _read_v1(
    event: Event, options: Options, mounted: mount.Mount, *, encode: bool
) -> Request:
    """Read a REST API's event, whose format HTTP API 1.0 and ALB share."""
    context = event["requestContext"]
    headers, cookie = join_headers(_lists(event, "multiValueHeaders", "headers"))
    query = _lists(event, "multiValueQueryStringParameters", "queryStringParameters")
    script_name, path_info = mounted.under(options.base_path)
    return Request(
        method=event["httpMethod"],
        script_name=script_name,
        path_info=path_info,
        query=urlencode(query, doseq=True)
        if encode
        # An ALB hands keys and values over as they were on the wire.
        else encode_query("&".join(f"{k}={v}" for k in query for v in query[k])),
        cookie=cookie,
        client=context.get("identity", {}).get("sourceIp") or "",
        scheme=options.scheme,
        host=headers.get("host") or context.get("domainName") or "",
        protocol=context.get("protocol") or "HTTP/1.1",
        request_id=context.get("requestId") or "",
        headers=headers,
        body=_body(event),
    )


def _read_v2(event: Event, options: Options, mounted: mount.Mount) -> Request:
    """Read an event of payload format 2.0."""
    context = event["requestContext"]
    headers, cookie = join_headers(
        {name: [value] for name, value in (event.get("headers") or {}).items()}
    )
    # A Function URL gives the cookies twice, here and in the headers.
    cookies = event.get("cookies")
    if not isinstance(cookies, list | None):
        raise TypeError("cookies is no list")
    script_name, path_info = mounted.under(options.base_path)
    return Request(
        method=context["http"]["method"],
        script_name=script_name,
        path_info=path_info,
        query=encode_query(event.get("rawQueryString") or ""),
        cookie=wsgi_string("; ".join(cookies)) if cookies else cookie,
        client=context["http"].get("sourceIp") or "",
        scheme=options.scheme,
        host=headers.get("host") or context.get("domainName") or "",
        protocol=context["http"].get("protocol") or "HTTP/1.1",
        request_id=context.get("requestId") or "",
        headers=headers,
        body=_body(event),
    )


def _lists(event: Event, multi: str, single: str) -> dict[str, list[str]]:
    """Return the lists under ``multi``, or the values under ``single`` as lists."""
    # Either is null in the console's test event. An ALB sends one of the two.
    values = event.get(multi)
    if values is None:
        values = {k: [v] for k, v in (event.get(single) or {}).items()}
    for value in values.values():
        if not (isinstance(value, list) and all(isinstance(v, str) for v in value)):
            raise TypeError(f"{multi} or {single} holds something else than strings")
    return values


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
