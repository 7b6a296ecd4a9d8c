"""Responses of functions that are not manage functions."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from botocore.exceptions import ClientError

from apps.aws_lambda.commands.remote.client import call
from apps.aws_lambda.commands.remote.errors import ConnectionLost, RemoteError, Target
from apps.aws_lambda.commands.remote.log import LogFollower


class Response(BaseHTTPRequestHandler):
    """Respond to every request with the same bytes."""

    content = b""
    status = 200

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.status)
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
        monkeypatch.delenv("AWS_REGION", raising=False)
        monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
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


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (504, b"<!DOCTYPE html><br>", "(504)"),
        (502, b"", "(502)"),
        (500, b'{"__type": "ServiceException"}', "(ServiceException)"),
        (403, b"<html><title>Blocked</title></html>", 'the title "Blocked"'),
    ],
)
def test_a_command_may_be_running_after_the_failure_of_a_proxy_or_of_lambda(
    response: type[Response], status: int, content: bytes, words: str
):
    response.content, response.status = content, status
    messages: list[str] = []

    with pytest.raises(ConnectionLost) as failed:
        call(
            Target("site-manage", "live"),
            ["migrate"],
            write=print,
            notify=messages.append,
            region="eu-central-1",
        )

    assert words in str(failed.value)
    assert (
        "The command may be running on site-manage:live: see the log group "
        "/aws/lambda/site-manage. If it is not there, "
    ) in str(failed.value)
    # It is looked for.
    assert any("Cannot read the log group" in message for message in messages)


def test_a_refusal_of_lambda_ends_the_call(response: type[Response]):
    response.content = b'{"__type": "EC2ThrottledException"}'
    response.status = 502

    with pytest.raises(RemoteError, match="Lambda refused to invoke") as failed:
        call(
            Target("site-manage", "live"),
            ["migrate"],
            write=print,
            notify=print,
            region="eu-central-1",
        )

    assert not isinstance(failed.value, ConnectionLost)


def test_the_command_that_reads_the_log_has_region_and_profile(
    response: type[Response], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = tmp_path / "config"
    config.write_text(
        "[profile staging]\n"
        "region = eu-west-1\n"
        "aws_access_key_id = testing\n"
        "aws_secret_access_key = testing\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    # There is no serverless.yml.
    monkeypatch.chdir(tmp_path)
    response.content = b'{"exit_code": 3, "output": "last", "lines": 3}'
    lines: list[str] = []
    messages: list[str] = []

    exit_code = call(
        Target("site-manage"),
        ["check"],
        write=lines.append,
        notify=messages.append,
        profile="staging",
    )

    assert exit_code == 3
    assert lines == ["last"]
    [message] = messages
    assert message.startswith("Lines 1 to 2 of 3 are not in Lambda's response, ")
    assert "  aws logs tail /aws/lambda/site-manage --since 1h " in message
    assert message.endswith(" --region eu-west-1 --profile staging")


def test_a_missing_region_is_reported(
    response: type[Response], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "absent"))

    with pytest.raises(RemoteError, match=r"No AWS region is configured\. Pass"):
        call(Target("site-manage"), ["check"], write=print, notify=print)


def test_a_session_that_expires_during_a_command_does_not_look_like_a_permission(
    response: type[Response],
):
    answer = {"Error": {"Code": "ExpiredTokenException", "Message": "It is expired."}}

    class Logs:
        def get_paginator(self, name: str) -> None:
            raise ClientError(answer, name)

    messages: list[str] = []
    follower = LogFollower(Logs(), "/aws/lambda/a", "t", "tail", print, messages.append)

    follower.show_new_lines()

    [message] = messages
    assert "The AWS session has expired (ExpiredTokenException)." in message
    assert "logs:FilterLogEvents" not in message


@pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="Linux shows timers of connections"
)
def test_a_connection_that_waits_is_probed_every_minute(response: type[Response]):
    timers: list[str] = []

    def look(self: Response) -> None:
        ends = [
            f"0100007F:{port:04X}"
            for _, port in (self.client_address, self.connection.getsockname())
        ]
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()]
        timers.extend(row[5] for row in rows if row[1:3] == ends)
        Response.do_POST(self)

    response.do_POST = look  # type: ignore[method-assign]
    response.content = b'{"exit_code": 0, "output": "", "lines": 0}'

    call(
        Target("site-manage"),
        ["check"],
        write=print,
        notify=print,
        region="eu-central-1",
    )

    [(kind, hundredths)] = [timer.split(":") for timer in timers]
    # https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
    assert kind == "02", "no timer of probes"
    assert int(hundredths, 16) <= 60 * 100
