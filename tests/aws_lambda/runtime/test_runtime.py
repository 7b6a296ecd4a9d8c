"""What this project's runtime client does and AWS's does not, and how it starts."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.runtime.marshal import LARGE_BYTES, read_event
from apps.aws_lambda.runtime.start import answers
from tests.aws_lambda.runtime.stand_in import (
    HEADERS,
    ROOT,
    WRAPPER,
    Answer,
    Client,
    Post,
)
from tests.events import load_event


@pytest.fixture
def client() -> Iterator[Client]:
    with Client("own") as running:
        yield running


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Client]:
    (tmp_path / "file").write_bytes(os.urandom(3_000_000))
    with Client("own", "web.handle", {"FILE": str(tmp_path / "file")}) as running:
        yield running


def request(query: str = "", **changes: Any) -> bytes:
    return json.dumps(
        load_event("http_default", rawQueryString=query) | changes
    ).encode()


def result(post: Post | None) -> Any:
    assert post
    assert post.path == "invocation/request-1/response"
    return json.loads(post.body)


# The order


@pytest.mark.parametrize("query", ["", "fail", "exit"])
def test_the_answer_is_sent_before_the_response_is_closed(web: Client, query: str):
    seen: list[str] = []
    # The client waits for Lambda's answer meanwhile.
    web.api.on_post = lambda post: seen.append(web.output)

    assert result(web.send(request(query)))["body"] == "hello"
    result(web.send(request()))
    ended = web.end()

    assert seen[0] == ""
    for output, times in ((seen[1], 1), (ended.output, 2)):
        printed = re.findall("^closed$|before_freeze$", output, re.MULTILINE)
        assert printed == ["closed", "before_freeze"] * times
    logged = "An error occurred after the response was sent" in ended.output
    assert logged == bool(query)


def test_an_exception_is_sent_before_what_comes_after_it(web: Client):
    seen: list[str] = []
    web.api.on_post = lambda post: seen.append(web.output)

    post = web.send(b'{"not": "a web request"}')

    assert post
    assert json.loads(post.body)["errorType"] == "UnsupportedEvent"
    assert "before_freeze" not in seen[0]
    assert web.end().output.endswith("before_freeze\n")


def test_an_error_of_the_application_is_a_response(web: Client):
    assert result(web.send(request("raise")))["statusCode"] == 500
    assert result(web.send(request()))["statusCode"] == 200


def test_the_deadline_ends_what_comes_after_the_answer(web: Client):
    soon = str(int((time.time() + 1.5) * 1000))

    web.send(request("hang"), HEADERS | {"Lambda-Runtime-Deadline-Ms": soon})

    # The next one is served, long before the 60 seconds are over.
    assert result(web.send(request()))["body"] == "hello"
    assert "DeadlineExceeded" in web.end().output


def test_a_frozen_process_continues_on_the_same_connection(web: Client):
    assert result(web.send(request()))["body"] == "hello"
    for _ in range(3):
        web.process.send_signal(signal.SIGSTOP)
        os.waitpid(web.process.pid, os.WUNTRACED)
        web.api.answers.put(Answer(request()))
        web.process.send_signal(signal.SIGCONT)
        assert result(web.post())["body"] == "hello"

    assert web.api.connections == 1


def test_a_process_is_thawed_with_a_connection_that_has_ended(web: Client):
    # It is frozen while it waits for Lambda's response to its answer.
    web.api.on_post = lambda post: web.process.send_signal(signal.SIGSTOP)
    web.api.closes = True
    assert result(web.send(request()))["body"] == "hello"
    while not web.api.closed:
        time.sleep(0.01)
    web.api.on_post, web.api.closes = lambda post: None, False
    web.process.send_signal(signal.SIGCONT)

    assert result(web.send(request()))["body"] == "hello"
    assert web.api.connections == 2


def test_a_snapshot_contains_no_connection():
    variables = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    with Client("own", "hooks.handle", variables) as running:
        assert result(running.send(b"{}")) == "restored"
        assert result(running.send(b"{}")) == "restored"

        assert running.api.asked[:2] == [
            "GET runtime/restore/next",
            "GET runtime/invocation/next",
        ]
        assert running.api.connections == 2


# Bodies


def test_a_file_is_read_in_large_blocks(web: Client, tmp_path: Path):
    answer = result(web.send(request("file")))

    assert answer["isBase64Encoded"]
    assert base64.b64decode(answer["body"]) == (tmp_path / "file").read_bytes()


@pytest.mark.parametrize("size", [0, 10, 20_000, 4_000_000])
@pytest.mark.parametrize("chunks", [(), (1000, 50_000)])
def test_an_upload_arrives_unchanged(web: Client, size: int, chunks: tuple[int, ...]):
    body = os.urandom(size)
    event = request("echo", body=base64.b64encode(body).decode(), isBase64Encoded=True)

    answer = result(web.send(event, chunks=chunks))

    assert base64.b64decode(answer["body"]) == str(size).encode() + body


LONG = "QUJD" * (LARGE_BYTES // 4)


@pytest.mark.parametrize(
    "event",
    [
        {"body": LONG},
        {"a": 1, "body": LONG, "isBase64Encoded": True},
        {"queryStringParameters": {"body": LONG}, "body": LONG},
        {"queryStringParameters": {"body": "short"}, "body": LONG},
        {"queryStringParameters": {'x"body': "short", "body": LONG}},
        {"queryStringParameters": {"body": LONG}, "body": None},
        {"queryStringParameters": {"body": LONG}},
        {"headers": {"x": '"body":"' + LONG}, "body": "short"},
        {"body": f'{LONG}"{LONG}'},
        {"body": f"{LONG}é"},
        {"body": {"body": LONG}},
        {"body": [LONG]},
        {"other": LONG * 3},
        [LONG, {"body": LONG}],
        LONG,
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": "), (" , ", " : ")])
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_an_event_with_a_long_body_is_read_as_json(
    event: Any, separators: Any, ascii_only: bool, kind: Any
):
    data = json.dumps(event, separators=separators, ensure_ascii=ascii_only).encode()

    assert read_event(kind(data)) == event


# What ends AWS's client, and not this one


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ({"return": ["plain", "\ud800"]}, "Runtime.MarshalError"),
        ({"fail": ["ValueError", "\ud800"]}, "ValueError"),
    ],
)
def test_half_of_a_surrogate_pair_does_not_end_the_environment(
    client: Client, event: Any, kind: str
):
    post = client.send(json.dumps(event).encode())

    assert post
    assert json.loads(post.body)["errorType"] == kind
    assert "\\ud800" in json.loads(post.body)["errorMessage"]
    assert client.send(b"{}")


@pytest.mark.parametrize("status", [410, 413])
@pytest.mark.parametrize("event", [{}, {"fail": ["ValueError", "x"]}])
def test_an_answer_that_comes_too_late_or_is_too_large_does_not_end_the_environment(
    client: Client, event: Any, status: int
):
    client.api.status = status
    assert client.send(json.dumps(event).encode())
    client.api.status = 202

    assert client.send(b'{"a": 1}') == Post(
        "invocation/request-1/response", client_headers(client), b'{"a": 1}'
    )
    assert f"Lambda answered {status}" in client.end().output


def client_headers(client: Client) -> dict[str, str]:
    return {
        "host": client.api.address,
        "user-agent": "django-on-lambda/" + ".".join(map(str, sys.version_info[:3])),
        "content-type": "application/json",
        "content-length": "8",
    }


# Handlers


def test_a_wrapper_of_the_handler_is_called():
    with Client("own", "web.wrapped") as running:
        answer = result(running.send(request()))

    assert answer["headers"]["x-wrapped"] == "1"
    assert answer["body"] == "hello"


def test_a_proxy_of_the_handler_is_called():
    """Such as wrapt's, which passes all attributes on."""
    from apps.aws_lambda.handlers import lambda_handler

    handler = lambda_handler(lambda invocation: "result")

    class Proxy:
        def __getattr__(self, name: str) -> Any:
            return getattr(handler, name)

        def __call__(self, event: Any, context: Any) -> Any:
            return [handler(event, context), "wrapped"]

    class Reply:
        def result(self, value: Any) -> None:
            self.value = value

    reply: Any = Reply()
    context: Any = None
    answers(Proxy())({}, context, reply)
    assert reply.value == ["result", "wrapped"]
    answers(handler)({}, context, reply)
    assert reply.value == "result"


# The start


def environment(**variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LAMBDA_TASK_ROOT": str(ROOT), **variables}


@pytest.mark.parametrize("own", ["", "/a/folder"])
def test_the_import_path_is_that_of_bootstrap_py(own: str, tmp_path: Path):
    libraries = tmp_path / "var" / "runtime"
    libraries.mkdir(parents=True)
    # A folder that a file *.pth adds, as in a layer.
    (tmp_path / "more").mkdir()
    task = tmp_path / "task"
    (task / "apps").mkdir(parents=True)
    (task / "apps" / "aws_lambda").symlink_to(ROOT / "apps" / "aws_lambda")
    (task / "more.pth").write_text(f"{tmp_path / 'more'}\n")
    (task / "function.py").write_text(
        "import os, sys\n"
        "def handle(event, context):\n"
        "    return [sys.path, os.environ.get('PYTHONPATH')]\n"
    )
    variables = {
        "LAMBDA_RUNTIME_DIR": str(libraries),
        **({"PYTHONPATH": own} if own else {}),
    }
    with Client("own", "function.handle", variables, folder=task) as running:
        path, pythonpath = result(running.send(b"{}"))

    layers = [
        "/opt/python/lib/python{}.{}/site-packages".format(*sys.version_info),
        "/opt/python",
    ]
    expected = [str(task), *([] if own else layers), str(libraries)]
    assert path[: len(expected)] == expected
    assert str(tmp_path / "more") in path
    assert pythonpath == (own or str(libraries))


def test_the_wrapper_gives_back_awss_client_on_managed_instances():
    process = subprocess.run(
        [WRAPPER, "/bin/echo", "-x", "/var/runtime/bootstrap.py"],
        env=environment(AWS_LAMBDA_MAX_CONCURRENCY="4"),
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stdout == "-x /var/runtime/bootstrap.py\n"


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/var/runtime/bootstrap.py"], "-m apps.aws_lambda.runtime"),
        (["-S", "-E", "/a b.py", "x"], "-S -E -m apps.aws_lambda.runtime"),
        (["-u", "-m", "awslambdaric", "x"], "-u -m apps.aws_lambda.runtime"),
    ],
)
def test_the_wrapper_starts_the_package_that_it_is_in(
    command: list[str], expected: str
):
    process = subprocess.run(
        [WRAPPER, "/bin/echo", *command],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert process.stdout == f"{expected}\n"


def test_the_loop_imports_neither_django_nor_the_rest_of_the_integration():
    script = (
        "import sys; from apps.aws_lambda.runtime import start;"
        "print(*sorted(n for n in sys.modules if n.startswith(('apps.', 'django'))))"
    )
    names = subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True)

    assert {name for name in names.split() if ".runtime" not in name} == {
        "apps.aws_lambda"
    }
