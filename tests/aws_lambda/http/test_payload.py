"""A result as JSON, which this project's runtime client sends, is the result."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.http.response import (
    SMALL_BYTES,
    Response,
    write_payload,
    write_result,
)
from apps.aws_lambda.http.wsgi import BLOCK_BYTES, FileBlocks
from apps.aws_lambda.test import EventSource, LambdaContext, Request
from tests.aws_lambda.site import buffered
from tests.runtimes import answer

TEXT = {"content-type": "text/plain; charset=utf-8"}
LONG = "x" * SMALL_BYTES


def check(fields: dict[str, Any], response: Response) -> None:
    payload = b"".join(write_payload(fields, response))

    # As AWS's client would read it again; invalid UTF-8 is an error.
    assert json.loads(payload.decode()) == write_result(fields, response)


@given(
    text=st.text() | st.text('\\"\n\r\t\b\f\x00\x1f\x7f a\u2028é\U0001f600'),
    before=st.sampled_from(["", LONG]),
    headers=st.sampled_from([TEXT, {"content-type": "application/json"}]),
)
def test_a_text_is_the_same_string(text: str, before: str, headers: dict[str, str]):
    body = (before + text).encode(errors="replace")

    check({"statusCode": 200, "headers": headers}, Response(200, headers, [], body))


@given(
    body=st.binary(),
    before=st.sampled_from([b"", LONG.encode(), b"\xff" * SMALL_BYTES]),
)
@pytest.mark.parametrize(
    "headers",
    [TEXT, {"content-type": "image/png"}, TEXT | {"content-encoding": "gzip"}, {}],
)
def test_bytes_are_the_same_text_or_base64(
    headers: dict[str, str], before: bytes, body: bytes
):
    response = Response(200, headers, [], before + body)

    check({"statusCode": 200, "headers": headers}, response)


BODIES = [
    ("application/json", b'{"a": "\\u00e9"}'),
    ("text/html; charset=utf-8", "<p>Déjà vu</p>\n".encode() * 1000),
    ("text/html; charset=latin-1", b"\xe9" * 5000),
    ("image/png", bytes(range(256)) * 100),
    ("text/plain", b""),
    # Over the limit of every event source.
    ("text/plain", b'"' * 4_000_000),
    ("image/png", b"x" * 4_700_000),
]


@buffered
@pytest.mark.parametrize(("content_type", "body"), BODIES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_both_runtime_clients_send_the_same(
    event_source: EventSource, method: str, content_type: str, body: bytes
):
    headers = [
        ("Content-Type", content_type),
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=é".encode().decode("latin-1")),
        ("X-Name", "é".encode().decode("latin-1")),
    ]

    def application(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", headers)
        return [body]

    handler = make_handler(application, **event_source.handler_options)
    request = Request(method, f"{event_source.prefix}/a", (), body[:100])
    event = event_source.event(request)
    context = LambdaContext(aws_request_id="the-id")

    results = [handler(event, context), answer(handler, event, context)]

    for result in results:
        if "timestamp" in str(result["body"]):
            error = json.loads(result["body"])
            error["timestamp"] = ""
            result["body"] = json.dumps(error)
    assert results[1] == results[0]


def test_an_exception_reaches_both(event_source: EventSource):
    handler = make_handler(lambda *args: [])

    for call in (handler, lambda *args: answer(handler, *args)):
        with pytest.raises(ValueError, match="unknown kind"):
            call({"not": "a web request"}, LambdaContext())


def test_a_file_is_read_in_large_blocks_and_closed():
    class File(io.BytesIO):
        sizes: list[int | None] = []

        def read(self, size: int | None = -1) -> bytes:
            self.sizes.append(size)
            return super().read(size)

    file = File(b"x" * (BLOCK_BYTES + 1))
    blocks = FileBlocks(file, 4096)

    assert [len(block) for block in blocks] == [BLOCK_BYTES, 1]
    assert set(file.sizes) == {BLOCK_BYTES}
    blocks.close()
    assert file.closed
