"""
Payload format 1.0: REST APIs, and HTTP APIs that are configured for it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import re
from urllib.parse import urlencode

from ..aws.limits import (
    MAX_API_GATEWAY_HEADER_BYTES,
    MAX_API_GATEWAY_PRELUDE_BYTES,
    MAX_PAYLOAD_BYTES,
)
from ..events import Event, RequestContext
from .payload_2_0 import mount_http_api
from .request import (
    Options,
    Request,
    client_address,
    decode_path,
    encode_query,
    forwarded_client,
    mount,
    read_body,
    read_headers,
    wsgi_string,
)
from .response import Fields, Response

PARAMETER = re.compile(r"{(.+?)\+?}")

Table = dict[str, str | list[str]]


class RestApi:
    """A REST API: the path is as it was on the wire, the stage in the context only."""

    name = "REST API"
    payload_format = "1.0"
    limit_bytes = MAX_PAYLOAD_BYTES
    # 6 MB of base64, less what surrounds the file in a form.
    upload_limit = "4.5 MB"
    header_limit_bytes: int | None = MAX_API_GATEWAY_HEADER_BYTES
    prelude_limit_bytes: int | None = MAX_API_GATEWAY_PRELUDE_BYTES
    streams = True

    def sends(self, event: Event, context: RequestContext) -> bool:
        # sam local and other stand-ins give the version, which AWS leaves out. But an
        # HTTP API has a route ("$default", "GET /a") where a REST API has an ID.
        resource = context.get("resourceId")
        return (
            "httpMethod" in event
            and "elb" not in context
            and (
                "version" not in event
                or (isinstance(resource, str) and resource.isalnum())
            )
        )

    def read(self, event: Event, options: Options) -> Request:
        place = mount_rest_api(event, options.base_path)
        return read_format_1_0(event, options, place)

    def write(self, event: Event, response: Response) -> Fields:
        headers = {name: [value] for name, value in response.headers.items()}
        if response.cookies:
            headers["set-cookie"] = response.cookies
        return {"statusCode": response.status, "multiValueHeaders": headers}


class HttpApiFormat1(RestApi):
    """An HTTP API with payload format 1.0."""

    name = "HTTP API (payload 1.0)"
    streams = False

    def sends(self, event: Event, context: RequestContext) -> bool:
        return "httpMethod" in event and "version" in event

    def read(self, event: Event, options: Options) -> Request:
        place = mount_http_api(event, event["path"], options.base_path)
        return read_format_1_0(event, options, place)


def read_format_1_0(
    event: Event,
    options: Options,
    place: tuple[str, str],
    *,
    encoded_query: bool = False,
) -> Request:
    """
    Return the request in an event of this format.

    ``place`` is its SCRIPT_NAME and PATH_INFO; ``encoded_query`` is whether keys and
    values of the query are as they were on the wire, which only a load balancer does.
    Raises AttributeError, KeyError, TypeError or ValueError if the event does not have
    the documented shape.
    """
    context = event["requestContext"]
    headers = read_headers(_table(event, "multiValueHeaders", "headers"))
    query = _table(event, "multiValueQueryStringParameters", "queryStringParameters")
    script_name, path_info = place
    return Request(
        event["httpMethod"],
        script_name,
        path_info,
        _query_string(query, encoded=encoded_query) if query else "",
        _client(context, headers, options.trusted_proxies),
        options.scheme,
        headers.get("HTTP_HOST") or context.get("domainName") or "",
        context.get("protocol") or "HTTP/1.1",
        context.get("requestId") or "",
        headers,
        read_body(event),
    )


def _client(context: RequestContext, headers: dict[str, str], proxies: int) -> str:
    if proxies > 1:
        return forwarded_client(headers, proxies)
    return client_address((context.get("identity") or {}).get("sourceIp") or "")


def _table(event: Event, multi: str, single: str) -> Table:
    # Either is null in the console's test event, and empty in those of stand-ins. An
    # ALB sends one of the two.
    return event.get(multi) or event.get(single) or {}


def _query_string(parameters: Table, *, encoded: bool) -> str:
    pairs = [
        (name, value)
        for name, given in parameters.items()
        for value in (given if isinstance(given, list) else [given])
    ]
    if not all(isinstance(value, str) for _, value in pairs):
        raise TypeError("a query parameter is not a string")
    if encoded:
        return encode_query("&".join([f"{name}={value}" for name, value in pairs]))
    return urlencode(pairs)


def mount_rest_api(event: Event, base_path: str) -> tuple[str, str]:
    """
    Return SCRIPT_NAME and PATH_INFO of a request through a REST API.

    A stage, or the base path of a custom domain, is in the public path, before the
    resource that matched.
    """
    path = decode_path(event["path"])
    public = decode_path(event["requestContext"].get("path") or event["path"])
    if path != public and public.endswith(path):
        # Only requestContext.path contains the stage; both contain a base path.
        return _split(public[: len(public) - len(path)], public, base_path)
    parameters = event.get("pathParameters") or {}
    resource = PARAMETER.sub(
        lambda match: parameters.get(match[1], match[0]),
        event.get("resource") or "{}",
    )
    below = public.rstrip("/")
    # API Gateway drops the last slash of a greedy parameter, and whether the
    # value is decoded is not documented.
    for tail in (wsgi_string(resource), decode_path(resource), path):
        tail = tail.rstrip("/")
        if below.endswith(tail):
            return _split(below[: len(below) - len(tail)], public, base_path)
    return mount(path, base_path)


def _split(prefix: str, public: str, base_path: str) -> tuple[str, str]:
    prefix = prefix.rstrip("/")
    if prefix and not prefix.startswith("/"):
        raise ValueError("the prefix does not start with a slash")
    path = public[len(prefix) :] or "/"
    return mount(path, base_path, prefix=prefix, public=prefix)
