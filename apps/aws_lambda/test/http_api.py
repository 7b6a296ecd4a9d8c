"""API Gateway HTTP APIs, in both payload formats."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote, unquote_to_bytes

from .event_source import Event, EventSource, decoded_query, forwarded_for
from .function_url import FunctionUrl
from .rest_api import event_headers, read_format_1_0, request_context
from .wire import (
    Rejected,
    Request,
    Response,
    body_fields,
    grouped,
    is_text,
    last_values,
)


def decoded_path(path: str) -> str:
    """
    Return a path as an HTTP API delivers it: decoded, truncated, decoded again.

    ``%3F`` ends the path, and ``%252F`` becomes a slash. A path is rejected if a
    percent sign remains after the first decoding that does not start an escape.
    """
    once = unquote(path).partition("?")[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", once):
        raise Rejected(400, f"{path} cannot be decoded twice")
    return unquote(once)


def preserves(path: str) -> bool:
    """Return whether an HTTP API delivers a path decoded exactly once."""
    raw = unquote_to_bytes(path)
    try:
        return decoded_path(path).encode() == raw
    except Rejected:
        return False


@dataclass(frozen=True)
class HttpApi(FunctionUrl):
    """
    An HTTP API with payload format 2.0.

    ``rawPath`` is decoded. It starts with the name of the stage, unless that is
    ``$default``, and never contains the mapping key of a custom domain.
    """

    account: ClassVar[str] = "123456789012"
    api_id: ClassVar[str] = "h1t2t3p4a5"
    cookies_in_headers: ClassVar[bool] = False
    fault_status: ClassVar[int] = 500

    def raw_path(self, request: Request) -> str:
        """Return the stage and the decoded path."""
        stage = "" if self.stage == "$default" else f"/{self.stage}"
        path = decoded_path(self.strip_prefix(request.path))
        return (stage + path) or "/"

    def forwarded_for(self, request: Request) -> str:
        """Return X-Forwarded-For: what the client sent, then its address."""
        return forwarded_for(request)

    def preserves_path(self, path: str) -> bool:
        return preserves(path)


@dataclass(frozen=True)
class HttpApiFormat1(EventSource):
    """An HTTP API with payload format 1.0: the path is decoded and has the stage."""

    stage: str = "$default"

    fault_status: ClassVar[int] = 500
    preserves_query_bytes: ClassVar[bool] = False
    preserves_text_bytes: ClassVar[bool] = False

    def event(self, request: Request) -> Event:
        """Return the event, whose ``version`` is "1.0"."""
        self.strip_prefix(request.path)
        path = decoded_path(request.path)
        length = ("Content-Length", str(len(request.body)))
        headers = grouped([length, *event_headers(self, request)])
        query = decoded_query(request.query)
        return {
            "version": "1.0",
            "resource": "$default",
            "path": path,
            "httpMethod": request.method,
            "headers": last_values(headers),
            "multiValueHeaders": headers,
            "queryStringParameters": last_values(query) or None,
            "multiValueQueryStringParameters": query or None,
            "pathParameters": None,
            "stageVariables": None,
            "requestContext": request_context(
                self,
                request,
                apiId=HttpApi.api_id,
                authorizer={"claims": None, "scopes": None},
                path=path,
                resourceId="$default",
                resourcePath="$default",
                stage=self.stage,
            ),
            **body_fields(request.body, base64=not is_text(request)),
        } | ({} if request.body else {"body": None})

    def read(self, result: Any) -> Response:
        """Return the response. Unlike a REST API, ignore unknown keys."""
        return read_format_1_0(result)

    def preserves_path(self, path: str) -> bool:
        return preserves(path)
