"""API Gateway HTTP APIs, in both payload formats."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote, unquote_to_bytes

from .event_source import Event, EventSource, decoded_query
from .function_url import FunctionUrl
from .rest_api import arrival_headers, read_format_1_0, request_context
from .wire import Rejected, Request, Response, body_fields, grouped, is_text, last


def decoded_path(path: str) -> str:
    """
    Return a path as an HTTP API delivers it: decoded, cut and decoded again.

    ``%3F`` ends the path, ``%252F`` is a slash, and a percent sign that is
    left over after the first decoding and starts no escape is refused.
    """
    once = unquote(path).partition("?")[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", once):
        raise Rejected(400, f"{path} cannot be decoded twice")
    return unquote(once)


def carried(path: str) -> bool:
    """Tell whether an HTTP API delivers what a path means."""
    raw = unquote_to_bytes(path)
    try:
        return decoded_path(path).encode() == raw
    except Rejected:
        return False


@dataclass(frozen=True)
class HttpApi(FunctionUrl):
    """
    An HTTP API with payload format 2.0.

    ``rawPath`` starts with the name of the stage, unless it is ``$default``,
    and has no trace of the mapping key of a custom domain. It is decoded.
    """

    account: ClassVar[str] = "123456789012"
    api_id: ClassVar[str] = "h1t2t3p4a5"
    cookies_in_headers: ClassVar[bool] = False
    fault_status: ClassVar[int] = 500

    def raw_path(self, request: Request) -> str:
        """Return the decoded path with the stage in front of it."""
        stage = "" if self.stage == "$default" else f"/{self.stage}"
        inside = decoded_path(self.inside(request.path))
        return (stage + inside) or "/"

    def carries_path(self, path: str) -> bool:
        """Tell whether decoding twice is the same as decoding once."""
        return carried(path)


@dataclass(frozen=True)
class HttpApiFormat1(EventSource):
    """An HTTP API with payload format 1.0: the path is decoded and has the stage."""

    stage: str = "$default"

    fault_status: ClassVar[int] = 500
    any_query_bytes: ClassVar[bool] = False
    any_text_body: ClassVar[bool] = False

    def event(self, request: Request) -> Event:
        """Return the event in payload format 1.0, which says so in ``version``."""
        self.inside(request.path)
        path = decoded_path(request.path)
        length = ("Content-Length", str(len(request.body)))
        headers = grouped([length, *arrival_headers(self, request)])
        query = decoded_query(request.query)
        return {
            "version": "1.0",
            "resource": "$default",
            "path": path,
            "httpMethod": request.method,
            "headers": last(headers),
            "multiValueHeaders": headers,
            "queryStringParameters": last(query) or None,
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
        """Return the response; unlike a REST API, ignore keys it does not know."""
        return read_format_1_0(result)

    def carries_path(self, path: str) -> bool:
        """Tell whether decoding twice is the same as decoding once."""
        return carried(path)
