"""An Application Load Balancer with a Lambda target group."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ..aws.limits import MAX_ALB_PAYLOAD_BYTES
from .event_source import Event, EventSource, forwarded_for, without
from .wire import (
    InvalidResult,
    Request,
    Response,
    body_fields,
    grouped,
    is_text,
    last_values,
    read_body,
    read_headers,
    read_status,
)


@dataclass(frozen=True)
class LoadBalancer(EventSource):
    """
    A target group with ``lambda.multi_value_headers.enabled``.

    Path and query string stay percent-encoded, header names are in lowercase, and
    every value is in a list. Host is what the client sent.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    """

    max_request: ClassVar[int] = MAX_ALB_PAYLOAD_BYTES
    max_response: ClassVar[int] = MAX_ALB_PAYLOAD_BYTES
    preserves_text_bytes: ClassVar[bool] = False

    def event(self, request: Request) -> Event:
        """Return the event, which has no request ID, source IP or stage."""
        self.strip_prefix(request.path)
        port = "443" if request.scheme == "https" else "80"
        headers = grouped(
            [
                ("host", self.host),
                *(
                    (name.lower(), value)
                    for name, value in without(request, "x-forwarded-for")
                ),
                ("x-amzn-trace-id", "Root=1-65f2b5a0-0123456789abcdef01234567"),
                ("x-forwarded-for", forwarded_for(request)),
                ("x-forwarded-port", port),
                # The load balancer's own value is the last one.
                ("x-forwarded-proto", request.scheme),
            ]
        )
        if request.values("Host"):
            headers["host"] = request.values("Host")
        encoded = request.header("Content-Encoding") is not None
        return {
            "requestContext": {
                "elb": {
                    "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:"
                    "123456789012:targetgroup/site/0123456789abcdef"
                }
            },
            "httpMethod": request.method,
            "path": request.path,
            **self.mode_fields(headers, encoded_query(request.query)),
            **body_fields(request.body, base64=encoded or not is_text(request)),
        }

    def mode_fields(
        self, headers: dict[str, list[str]], query: dict[str, list[str]]
    ) -> Event:
        """Return headers and query parameters in the fields of this mode."""
        return {"multiValueHeaders": headers, "multiValueQueryStringParameters": query}

    def read(self, result: Any) -> Response:
        """Return the response. The header field of the other mode is ignored."""
        if not isinstance(result, dict):
            raise InvalidResult(f"the result is of type {type(result).__name__}")
        headers = self.read_mode_headers(result)
        return Response(read_status(result), tuple(headers), read_body(result))

    def read_mode_headers(self, result: dict[str, Any]) -> list[tuple[str, str]]:
        """Return the headers from the field of this mode."""
        return read_headers(result.get("multiValueHeaders"), lists=True)


@dataclass(frozen=True)
class SingleValueLoadBalancer(LoadBalancer):
    """
    A target group as created by default, with one value per name.

    Only the last value of a repeated request header or query parameter arrives. In
    the response a name has one value, but names that differ in case are different.
    """

    repeated_parameters: ClassVar[bool] = False
    repeated_headers: ClassVar[bool] = False

    def mode_fields(
        self, headers: dict[str, list[str]], query: dict[str, list[str]]
    ) -> Event:
        """Return headers and query parameters in the fields of this mode."""
        return {
            "headers": last_values(headers),
            "queryStringParameters": last_values(query),
        }

    def read_mode_headers(self, result: dict[str, Any]) -> list[tuple[str, str]]:
        """Return the headers from the field of this mode."""
        return read_headers(result.get("headers"), lists=False)


def encoded_query(query: str) -> dict[str, list[str]]:
    """Return the values of each name in a query string, still percent-encoded."""
    table: dict[str, list[str]] = {}
    for part in query.split("&"):
        if part:
            name, _, value = part.partition("=")
            table.setdefault(name, []).append(value)
    return dict(sorted(table.items()))
