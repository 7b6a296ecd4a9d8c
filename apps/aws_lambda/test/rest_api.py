"""API Gateway REST APIs, and payload format 1.0, which HTTP APIs support too."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..aws.limits import MAX_API_GATEWAY_PRELUDE_BYTES
from .event_source import (
    Event,
    EventSource,
    clock,
    decoded_query,
    forwarded_for,
    new_request_id,
    without,
)
from .wire import (
    InvalidResult,
    Request,
    Response,
    body_fields,
    grouped,
    last_values,
    read_body,
    read_headers,
    read_status,
)

FORMAT_1_0_RESULT = {
    "statusCode",
    "headers",
    "multiValueHeaders",
    "body",
    "isBase64Encoded",
}


def read_format_1_0(result: Any) -> Response:
    """
    Return the response of a payload format 1.0 result.

    ``headers`` and ``multiValueHeaders`` are merged. If a name is in both, only
    ``multiValueHeaders`` counts.
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
    """
    if not isinstance(result, dict):
        raise InvalidResult(f"the result is of type {type(result).__name__}")
    multi = read_headers(result.get("multiValueHeaders"), lists=True)
    taken = {name.lower() for name, _ in multi}
    single = [
        (name, value)
        for name, value in read_headers(result.get("headers"), lists=False)
        if name.lower() not in taken
    ]
    return Response(read_status(result), (*single, *multi), read_body(result))


def event_headers(event_source: EventSource, request: Request) -> list[tuple[str, str]]:
    """
    Return the headers of a payload format 1.0 event.

    API Gateway capitalizes the names that it knows, and leaves the others as the
    client sent them. It sets Host, X-Forwarded-Proto and X-Forwarded-Port itself.
    """
    replaced = ("host", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto")
    agent = [("User-Agent", value) for value in request.values("User-Agent")]
    return [
        ("Host", event_source.host),
        *agent,
        ("X-Amzn-Trace-Id", "Root=1-65f2b5a0-0123456789abcdef01234567"),
        ("X-Forwarded-For", forwarded_for(request)),
        ("X-Forwarded-Port", "443"),
        ("X-Forwarded-Proto", "https"),
        *without(request, *replaced, "user-agent", "content-length", "x-amzn-trace-id"),
    ]


def request_context(
    event_source: EventSource, request: Request, **more: Any
) -> dict[str, Any]:
    """Return the requestContext of a payload format 1.0 event."""
    time, epoch = clock()
    return {
        "accountId": "123456789012",
        "domainName": event_source.host,
        "domainPrefix": event_source.host.partition(".")[0],
        "extendedRequestId": "QmFzZTY0SWQ9PQ=",
        "httpMethod": request.method,
        "identity": {
            "accessKey": None,
            "accountId": None,
            "caller": None,
            "sourceIp": request.client,
            "user": None,
            "userAgent": request.header("User-Agent"),
            "userArn": None,
        },
        "protocol": "HTTP/1.1",
        "requestId": new_request_id(),
        "requestTime": time,
        "requestTimeEpoch": epoch,
        **more,
    }


@dataclass(frozen=True)
class RestApi(EventSource):
    """
    A REST API with the resources ``/`` and ``/{proxy+}`` and binary type ``*/*``.

    On its stage URL, only ``requestContext.path`` contains the stage, not ``path``.
    On a custom domain with a base path mapping, both contain the base path; the
    resource and its path parameter do not. All of these stay percent-encoded.
    """

    stage: str = "prod"
    stage_url: bool = False

    max_prelude: ClassVar[int | None] = MAX_API_GATEWAY_PRELUDE_BYTES
    preserves_query_bytes: ClassVar[bool] = False
    # "Important notes for REST APIs": API Gateway sets these itself.
    renamed_headers: ClassVar[frozenset[str]] = frozenset(
        {"connection", "content-length", "date", "server", "www-authenticate"}
    )

    def event(self, request: Request) -> Event:
        """Return the event. Because of ``*/*`` its body is always base64."""
        path = self.strip_prefix(request.path)
        root = path in ("", "/")
        resource = "/" if root else "/{proxy+}"
        headers = grouped(event_headers(self, request))
        # A semicolon separates parameters too ("Important notes").
        query = decoded_query(request.query.replace(";", "&"))
        return {
            "resource": resource,
            "path": (path or "/") if self.stage_url else request.path,
            "httpMethod": request.method,
            "headers": last_values(headers),
            "multiValueHeaders": headers,
            "queryStringParameters": last_values(query) or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": None if root else {"proxy": path[1:]},
            "stageVariables": None,
            "requestContext": request_context(
                self,
                request,
                apiId="a1b2c3d4e5",
                path=request.path,
                resourceId="abc123",
                resourcePath=resource,
                stage=self.stage,
            ),
            **body_fields(request.body, base64=True),
        } | ({} if request.body else {"body": None})

    def read(self, result: Any) -> Response:
        """Return the response, or raise InvalidResult for an unknown key."""
        response = read_format_1_0(result)
        unknown = set(result) - FORMAT_1_0_RESULT
        if unknown:
            raise InvalidResult(f"the result has the keys {sorted(unknown)}")
        headers = tuple(
            (
                f"x-amzn-Remapped-{name}"
                if name.lower() in self.renamed_headers
                else name,
                value,
            )
            for name, value in response.headers
        )
        return Response(response.status, headers, response.body)
