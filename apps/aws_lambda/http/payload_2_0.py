"""
Payload format 2.0: HTTP APIs and Function URLs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from ..aws.limits import MAX_API_GATEWAY_HEADER_BYTES, MAX_PAYLOAD_BYTES
from ..events import Event, RequestContext
from .request import (
    Options,
    Request,
    client_address,
    decode_path,
    encode_query,
    forwarded_client,
    has_origin_secret,
    mount,
    read_body,
    read_headers,
    strip_prefix,
    viewer_client,
    wsgi_string,
)
from .response import Fields, Response


class FunctionUrl:
    """A Function URL: the path is as it was on the wire, and never has a prefix."""

    name = "Function URL"
    payload_format = "2.0"
    limit_bytes = MAX_PAYLOAD_BYTES
    # 6 MB of base64, less what surrounds the file in a form.
    upload_limit = "4.5 MB"
    # None is documented.
    header_limit_bytes: int | None = None
    prelude_limit_bytes: int | None = None
    streams = True

    def sends(self, event: Event, context: RequestContext) -> bool:
        return "http" in context and ".lambda-url." in str(context.get("domainName"))

    def read(self, event: Event, options: Options) -> Request:
        place = mount(decode_path(event["rawPath"]), options.base_path)
        request = read_format_2_0(event, options, place)
        # Not X-Forwarded-For, which a Function URL cuts to what the client wrote.
        if options.origin_secret and has_origin_secret(
            request.headers, options.origin_secret
        ):
            request.client = viewer_client(request.headers) or request.client
        return request

    def write(self, event: Event, response: Response) -> Fields:
        return {
            "statusCode": response.status,
            "headers": response.headers,
            "cookies": response.cookies,
        }


class HttpApi(FunctionUrl):
    """An HTTP API: the path is decoded, and starts with the name of the stage."""

    name = "HTTP API"
    streams = False
    header_limit_bytes: int | None = MAX_API_GATEWAY_HEADER_BYTES

    def sends(self, event: Event, context: RequestContext) -> bool:
        # So does a Function URL's event, which matches first.
        return "http" in context

    def read(self, event: Event, options: Options) -> Request:
        place = mount_http_api(event, event["rawPath"], options.base_path)
        request = read_format_2_0(event, options, place)
        if options.trusted_proxies > 1:
            request.client = forwarded_client(request.headers, options.trusted_proxies)
        return request


def read_format_2_0(event: Event, options: Options, place: tuple[str, str]) -> Request:
    """
    Return the request in an event of this format.

    ``place`` is its SCRIPT_NAME and PATH_INFO. Raises AttributeError, KeyError,
    TypeError or ValueError if the event does not have the documented shape.
    """
    context = event["requestContext"]
    given, cookies = event.get("headers") or {}, event.get("cookies") or []
    if not isinstance(cookies, list):
        raise TypeError("cookies is not a list")
    # A Function URL has the cookies twice, here and in the headers.
    headers = read_headers(given | {"cookie": cookies} if cookies else given)
    script_name, path_info = place
    http = context["http"]
    return Request(
        http["method"],
        script_name,
        path_info,
        encode_query(event.get("rawQueryString") or ""),
        client_address(http.get("sourceIp") or ""),
        options.scheme,
        headers.get("HTTP_HOST") or context.get("domainName") or "",
        http.get("protocol") or "HTTP/1.1",
        context.get("requestId") or "",
        headers,
        read_body(event),
    )


def mount_http_api(event: Event, path: str, base_path: str) -> tuple[str, str]:
    """
    Return SCRIPT_NAME and PATH_INFO of a request through an HTTP API.

    An HTTP API decodes the path itself, and puts a named stage before it even
    where a custom domain hides the stage from the client.
    """
    context = event["requestContext"]
    path = wsgi_string(path)
    stage = context.get("stage") or "$default"
    if stage == "$default":
        return mount(path, base_path)
    prefix = f"/{stage}"
    below = strip_prefix(path, prefix)
    if below is None:
        return mount(path, base_path)
    seen = ".execute-api." in (context.get("domainName") or "")
    return mount(below, base_path, prefix=prefix, public=prefix if seen else "")
