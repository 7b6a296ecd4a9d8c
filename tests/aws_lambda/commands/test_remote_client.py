"""Responses of functions that are not manage functions."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from apps.aws_lambda.commands.remote.client import call
from apps.aws_lambda.commands.remote.errors import RemoteError, Target


class Response(BaseHTTPRequestHandler):
    """Respond to every request with the same bytes."""

    content = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def response(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Response]]:
    """Serve Lambda's endpoint, and no other; return the class that responds."""
    handler = type("Handler", (Response,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield handler
        server.shutdown()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"exit_code": "x"}',
        b'{"exit_code": 0}',
    ],
)
def test_a_response_that_is_not_a_result_is_reported(
    response: type[Response], content: bytes
):
    response.content = content
    lines: list[str] = []

    with pytest.raises(RemoteError) as failed:
        call(
            Target("site-http"),
            ["check"],
            write=lines.append,
            notify=print,
            region="eu-central-1",
        )

    assert str(failed.value) == (
        "site-http did not return the result of a command. Check --function-name and "
        "LAMBDA_MANAGE_FUNCTION: it must be a manage function."
    )
    assert lines == []
