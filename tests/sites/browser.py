"""A browser in front of a package: cookies, forms and files, through an HTTP API."""

import json
import re
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.test.http_api import HttpApi
from apps.aws_lambda.test.wire import Headers, Request, Response

HOST = "h1t2t3p4a5.execute-api.eu-west-1.amazonaws.com"
BOUNDARY = "----------------------------boundary"
# A page of a busy machine.
SECONDS = 60


class Browser:
    """Send requests to a function, and keep the cookies of the responses."""

    def __init__(self, function: ExecutionEnvironment) -> None:
        self.function = function
        self.source = HttpApi("HTTP API", HOST, stage="$default")
        self.cookies: dict[str, str] = {}

    def get(self, path: str, *headers: tuple[str, str]) -> Response:
        """Request a page."""
        return self._send(Request("GET", path, self._headers(*headers)))

    def text(self, path: str) -> str:
        """Return the body of a page, which must be served."""
        response = self.get(path)
        assert response.status == 200, (path, response.status, self.function.log)
        return response.body.decode()

    def post(
        self, path: str, fields: dict[str, str], **files: tuple[str, str, bytes]
    ) -> Response:
        """
        Load the form of a page, and post it with these fields.

        ``files`` are names, media types and contents.
        """
        match = re.search(r'csrfmiddlewaretoken"?[^>]*value="(\w+)"', self.text(path))
        assert match, f"{path} has no form"
        fields = {"csrfmiddlewaretoken": match[1], **fields}
        if files:
            kind, body = (
                f"multipart/form-data; boundary={BOUNDARY}",
                parts(fields, files),
            )
        else:
            kind, body = "application/x-www-form-urlencoded", urlencode(fields).encode()
        headers = self._headers(
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Origin", f"https://{HOST}"),
        )
        return self._send(Request("POST", path, headers, body))

    def call(self, path: str, data: Any, *headers: tuple[str, str]) -> Any:
        """Post JSON to an API, and return the JSON of the answer."""
        body = json.dumps(data).encode()
        length = ("Content-Length", str(len(body)))
        kind = ("Content-Type", "application/json")
        sent = self._headers(kind, length, *headers)
        response = self._send(Request("POST", path, sent, body))
        assert response.status in (200, 201), (path, response)
        return json.loads(response.body)

    def _headers(self, *headers: tuple[str, str]) -> Headers:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        kept = (("Cookie", cookie),) if cookie else ()
        return (("Host", HOST), ("Accept", "*/*"), *kept, *headers)

    def _send(self, request: Request) -> Response:
        def handler(event: Any, context: Any) -> Any:
            return self.function.invoke(event, SECONDS)

        response = self.source.send(handler, request)
        for value in response.values("Set-Cookie"):
            for name, morsel in SimpleCookie(value).items():
                self.cookies[name] = morsel.value
        return response


def parts(fields: dict[str, str], files: dict[str, tuple[str, str, bytes]]) -> bytes:
    """Return the body of a multipart form."""
    start = f"--{BOUNDARY}\r\nContent-Disposition: form-data; name="
    body = b"".join(
        f'{start}"{name}"\r\n\r\n{value}\r\n'.encode() for name, value in fields.items()
    )
    for field, (name, kind, content) in files.items():
        head = f'{start}"{field}"; filename="{name}"\r\nContent-Type: {kind}\r\n\r\n'
        body += head.encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()
