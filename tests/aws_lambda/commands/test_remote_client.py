"""Answers that are not those of a manage function."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from apps.aws_lambda.commands.remote.client import call
from apps.aws_lambda.commands.remote.errors import RemoteError, Target


class Answer(BaseHTTPRequestHandler):
    """Answer every call with the same bytes."""

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
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answer]]:
    """Return what answers for Lambda, and for nothing else."""
    handler = type("Handler", (Answer,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", url)
        monkeypatch.setenv("AWS_ENDPOINT_URL_LOGS", "http://127.0.0.1:1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        yield handler
        server.shutdown()


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"\xff", b"null", b"[]", b"{}", b'{"exit_code": "x"}'],
)
def test_an_answer_that_is_no_result_is_named(answer: type[Answer], content: bytes):
    answer.content = content
    lines: list[str] = []

    with pytest.raises(RemoteError) as failed:
        call(
            Target("site-http"),
            ["check"],
            write=lines.append,
            complain=print,
            region="eu-central-1",
        )

    assert str(failed.value) == (
        "site-http answered, but not as a manage function does: is it one?"
    )
    assert lines == []
