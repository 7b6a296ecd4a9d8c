"""
The front doors: read an event as one request, write a result the door accepts.

Each door encodes the same HTTP request differently. Its ``read`` undoes that,
and its ``write`` turns a result of API Gateway's payload format 2.0, which is
what apig-wsgi makes, into the door's own. The readers raise TypeError, KeyError,
AttributeError or ValueError if the event does not have the documented shape.
"""

import logging
import re
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pybase64

from .events import Event
from .request import (
    Request,
    decode_path,
    encode_query,
    join_headers,
    strip_prefix,
    wsgi_string,
)

logger = logging.getLogger(__name__)

Result = dict[str, Any]


class Options(NamedTuple):
    """What no event tells: the arguments of ``gateway.make_handler``."""

    base_path: str
    scheme: str
    trusted_proxies: int


class Door(NamedTuple):
    """How one kind of door speaks. ``limit`` is the largest result, in bytes."""

    read: Callable[[Event, Options], Request]
    write: Callable[[Event, Result], Result]
    limit: int


# Reading


def read_rest_api(event: Event, options: Options) -> Request:
    return _read_v1(event, options, _rest_api_paths(event), encode=True)


def read_http_api_v1(event: Event, options: Options) -> Request:
    paths = _http_api_paths(event, event["path"])
    return _read_v1(event, options, paths, encode=True)


def read_http_api(event: Event, options: Options) -> Request:
    return _read_v2(event, options, _http_api_paths(event, event["rawPath"]))


def read_function_url(event: Event, options: Options) -> Request:
    return _read_v2(event, options, ("", decode_path(event["rawPath"])))


def read_alb(event: Event, options: Options) -> Request:
    paths = ("", decode_path(event["path"]))
    request = _read_v1(event, options, paths, encode=False)
    # The balancer appends; what stands further left is the client's own word.
    forwarded = request.headers.get("x-forwarded-for", "").split(",")
    scheme = request.headers.get("x-forwarded-proto", "").split(",")[-1].strip()
    return request._replace(
        client=_without_port(forwarded[-options.trusted_proxies :][0].strip()),
        scheme=scheme if scheme in ("http", "https") else options.scheme,
    )


def _read_v1(
    event: Event, options: Options, paths: tuple[str, str], *, encode: bool
) -> Request:
    """Read a REST API's event, whose format HTTP API 1.0 and ALB share."""
    context = event["requestContext"]
    headers, cookie = join_headers(_lists(event, "multiValueHeaders", "headers"))
    query = _lists(event, "multiValueQueryStringParameters", "queryStringParameters")
    script_name, path_info = _under_base_path(paths, options.base_path)
    return Request(
        method=event["httpMethod"],
        script_name=script_name,
        path_info=path_info,
        query=urlencode(query, doseq=True)
        if encode
        # An ALB hands keys and values over as they were on the wire.
        else encode_query("&".join(f"{k}={v}" for k in query for v in query[k])),
        headers=headers,
        cookie=cookie,
        client=context.get("identity", {}).get("sourceIp") or "",
        scheme=options.scheme,
        host=headers.get("host") or context.get("domainName") or "",
        protocol=context.get("protocol") or "HTTP/1.1",
        body=_body(event),
        request_id=context.get("requestId") or "",
    )


def _read_v2(event: Event, options: Options, paths: tuple[str, str]) -> Request:
    """Read an event of payload format 2.0."""
    context = event["requestContext"]
    headers, cookie = join_headers(
        {name: [value] for name, value in (event.get("headers") or {}).items()}
    )
    # A Function URL gives the cookies twice, here and in the headers.
    cookies = event.get("cookies")
    script_name, path_info = _under_base_path(paths, options.base_path)
    return Request(
        method=context["http"]["method"],
        script_name=script_name,
        path_info=path_info,
        query=encode_query(event.get("rawQueryString") or ""),
        headers=headers,
        cookie=wsgi_string("; ".join(cookies)) if cookies else cookie,
        client=context["http"].get("sourceIp") or "",
        scheme=options.scheme,
        host=headers.get("host") or context.get("domainName") or "",
        protocol=context["http"].get("protocol") or "HTTP/1.1",
        body=_body(event),
        request_id=context.get("requestId") or "",
    )


def _rest_api_paths(event: Event) -> tuple[str, str]:
    """
    Return SCRIPT_NAME and PATH_INFO of a REST API's event.

    The stage, or the base path of a custom domain, is whatever stands in the
    public path before the resource that matched.
    """
    path = decode_path(event["path"])
    public = decode_path(event["requestContext"].get("path") or event["path"])
    parameters = event.get("pathParameters") or {}
    resource = re.sub(
        r"{(.+?)\+?}",
        lambda m: str(parameters.get(m[1], "")),
        event.get("resource", ""),
    )
    # API Gateway drops the last slash of a greedy parameter, and whether the
    # value is decoded is not documented.
    for tail in (wsgi_string(resource), decode_path(resource), path):
        below = public.rstrip("/")
        tail = tail.rstrip("/")
        if below.endswith(tail):
            prefix = below[: len(below) - len(tail)]
            return prefix, public[len(prefix) :] or "/"
    return "", path


def _http_api_paths(event: Event, path: str) -> tuple[str, str]:
    """
    Return SCRIPT_NAME and PATH_INFO of an HTTP API's event.

    An HTTP API decodes the path itself, and puts a named stage before it even
    where a custom domain hides the stage from the client.
    """
    context = event["requestContext"]
    path = wsgi_string(path)
    stage = context.get("stage")
    if isinstance(stage, str) and stage != "$default":
        below = strip_prefix(path, "/" + stage)
        if below is not None:
            public = ".execute-api." in (context.get("domainName") or "")
            return "/" + stage if public else "", below
    return "", path


def _under_base_path(paths: tuple[str, str], base_path: str) -> tuple[str, str]:
    """Let the configured base path win over the prefix found in the event."""
    script_name, path_info = paths
    if not path_info.startswith("/"):
        raise ValueError("the path does not start with a slash")
    if not base_path:
        return paths
    prefix = base_path.rstrip("/")
    if prefix and script_name != prefix:
        path_info = strip_prefix(path_info, prefix) or path_info
    return prefix, path_info


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


# Writing


def write_v2(event: Event, result: Result) -> Result:
    return result


def write_v1(event: Event, result: Result) -> Result:
    headers = {name: [value] for name, value in result["headers"].items()}
    if result["cookies"]:
        headers["set-cookie"] = result["cookies"]
    return {
        "statusCode": result["statusCode"],
        "multiValueHeaders": headers,
        "body": result["body"],
        "isBase64Encoded": result["isBase64Encoded"],
    }


def write_alb(event: Event, result: Result) -> Result:
    try:
        phrase = HTTPStatus(result["statusCode"]).phrase
    except ValueError:
        phrase = "Unknown"
    written = write_v1(event, result)
    written["statusDescription"] = f"{result['statusCode']} {phrase}"
    if event.get("multiValueHeaders") is None:
        # The balancer reads the form that it sends, and ignores the other.
        del written["multiValueHeaders"]
        if len(result["cookies"]) > 1:
            _warn_of_single_values()
        written["headers"] = result["headers"] | {
            _cased("set-cookie", i): cookie
            for i, cookie in enumerate(result["cookies"])
        }
    return written


def _cased(name: str, number: int) -> str:
    """
    Return the name with capital letters where ``number`` has its bits.

    One value a name is all that an ALB takes in single-value mode, but names
    that differ in case are different names to it and the same to a browser.
    """
    return "".join(
        letter.upper() if number >> i & 1 else letter for i, letter in enumerate(name)
    )


@cache
def _warn_of_single_values() -> None:
    logger.warning(
        "The target group passes one value a header: repeated request headers and "
        "query parameters are lost before they arrive. Set its attribute "
        "lambda.multi_value_headers.enabled to true."
    )


# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
LAMBDA_LIMIT = 6_291_556
ALB_LIMIT = 1_048_576

DOORS = {
    "REST API": Door(read_rest_api, write_v1, LAMBDA_LIMIT),
    "HTTP API": Door(read_http_api, write_v2, LAMBDA_LIMIT),
    "HTTP API (payload 1.0)": Door(read_http_api_v1, write_v1, LAMBDA_LIMIT),
    "Function URL": Door(read_function_url, write_v2, LAMBDA_LIMIT),
    "ALB": Door(read_alb, write_alb, ALB_LIMIT),
}
