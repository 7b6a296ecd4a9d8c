"""Lambda function URLs, which use payload format 2.0."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote

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
    Request,
    Response,
    body_fields,
    grouped,
    is_text,
    read_body,
    read_headers,
    read_status,
)


@dataclass(frozen=True)
class FunctionUrl(EventSource):
    """
    A function URL.

    The path stays percent-encoded. Cookies are in ``cookies`` and in the Cookie
    header. X-Forwarded-For has one entry. Header names are in lowercase, and values of
    the same name are joined with a comma.
    """

    stage: str = "$default"
    account: ClassVar[str] = "anonymous"
    api_id: ClassVar[str] = "u1r2l3i4d5u1r2l3i4d5u1r2l3i4d5ab"
    cookies_in_headers: ClassVar[bool] = True

    preserves_query: ClassVar[bool] = True
    preserves_text_bytes: ClassVar[bool] = False

    def raw_path(self, request: Request) -> str:
        """Return the ``rawPath`` of the event."""
        return self.strip_prefix(request.path) or "/"

    def forwarded_for(self, request: Request) -> str:
        """Return X-Forwarded-For: the leftmost entry, which the client may write."""
        return forwarded_for(request).partition(",")[0].strip()

    def event(self, request: Request) -> Event:
        """Return the event in payload format 2.0."""
        path = self.raw_path(request)
        replaced = ["host", "content-length"]
        replaced += ["x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"]
        if not self.cookies_in_headers:
            replaced.append("cookie")
        headers = {
            name.lower(): ",".join(values)
            for name, values in grouped(without(request, *replaced)).items()
        }
        cookies = [
            cookie.strip()
            for value in request.values("Cookie")
            for cookie in value.split(";")
            if cookie.strip()
        ]
        time, epoch = clock()
        query = {
            name: ",".join(values)
            for name, values in decoded_query(request.query).items()
        }
        event: Event = {
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": request.query,
            "headers": headers
            | {
                "content-length": str(len(request.body)),
                "host": self.host,
                "x-amzn-trace-id": "Root=1-65f2b5a0-0123456789abcdef01234567",
                "x-forwarded-for": self.forwarded_for(request),
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            },
            "requestContext": {
                "accountId": self.account,
                "apiId": self.api_id,
                "domainName": self.host,
                "domainPrefix": self.host.partition(".")[0],
                "http": {
                    "method": request.method,
                    "path": unquote(path),
                    "protocol": "HTTP/1.1",
                    "sourceIp": request.client,
                    "userAgent": request.header("User-Agent") or "",
                },
                "requestId": new_request_id(),
                "routeKey": "$default",
                "stage": self.stage,
                "time": time,
                "timeEpoch": epoch,
            },
            "isBase64Encoded": False,
        }
        # Empty fields are absent.
        if cookies:
            event["cookies"] = cookies
        if query:
            event["queryStringParameters"] = query
        if request.body:
            event |= body_fields(request.body, base64=not is_text(request))
        return event

    def read(self, result: Any) -> Response:
        """
        Return the response of a payload format 2.0 result.

        A result without a status is the JSON body of a 200. A header has one value.
        Each item of ``cookies`` is one Set-Cookie.
        """
        if not isinstance(result, dict) or "statusCode" not in result:
            kind = (("Content-Type", "application/json"),)
            return Response(200, kind, json.dumps(result).encode())
        # Names are case-insensitive; the last value is used.
        pairs = read_headers(result.get("headers"), lists=False)
        headers = {name.lower(): value for name, value in pairs}
        cookies = read_headers({"set-cookie": result.get("cookies") or []}, lists=True)
        return Response(
            read_status(result), (*headers.items(), *cookies), read_body(result)
        )
