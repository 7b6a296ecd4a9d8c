"""
The same events, headers and outcomes in AWS's runtime client and in this project's.

Requests, logs and exit codes must agree. The requirements have the newest awslambdaric,
which `make lock` brings: a test that fails after it shows what AWS has changed.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.aws_lambda.runtime.stand_in import (
    FUNCTIONS,
    HEADERS,
    Client,
    Ended,
    Post,
    comparable,
)
from tests.nightly import profile

KINDS = ("aws", "own")
CAUSE = "lambda-runtime-function-xray-error-cause"
COMPARED = (
    "content-type",
    "lambda-runtime-function-error-type",
    "lambda-runtime-invocation-id",
)

Pair = tuple[Client, Client]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with Client("aws") as aws, Client("own") as own:
        yield aws, own


def essence(post: Post | None) -> Any:
    """Return what must agree in an answer."""
    if post is None:
        return None
    cause = json.loads(post.headers.get(CAUSE, "{}"))
    if "paths" in cause:
        # AWS's client has them in the order of a set.
        cause["paths"].sort()
    headers = {name: post.headers.get(name) for name in COMPARED}
    body = post.body
    if post.path.startswith(("init", "restore")):
        # A request of http.client, which has none.
        headers.pop("content-type")
        described = json.loads(body)
        stack = described["stackTrace"]
        # A frame of AWS's client, below those that it leaves out.
        described["stackTrace"] = [f for f in stack if "awslambdaric" not in f]
        body = json.dumps(described).encode()
    return post.path, headers, cause, body


def send(pair: Pair, event: Any, headers: dict[str, str] = HEADERS) -> Any:
    """Give both an event; check that they answer the same, and return it."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    theirs, ours = [essence(client.send(body, headers)) for client in pair]
    assert ours == theirs
    return ours


def run(
    events: list[Any] | None = None,
    handler: str = "outcomes.handle",
    variables: dict[str, str] | None = None,
    *,
    telemetry: bool = False,
    folders: Sequence[Path] = (FUNCTIONS,),
) -> tuple[Ended, list[Any]]:
    """Run both, check that all agrees, and return the end and the answers of one."""
    found = []
    for kind in KINDS:
        with Client(
            kind, handler, variables, telemetry=telemetry, folders=folders
        ) as client:
            posts = [
                client.send(json.dumps(event).encode()) for event in events or []
            ] or [client.post()]
            ended = client.end()
        found.append(
            (
                [essence(post) for post in posts],
                ended.exit_code,
                comparable(ended.output),
                frames(ended.frames),
                ended,
            )
        )
    theirs, ours = found
    assert ours[:-1] == theirs[:-1]
    return ours[-1], ours[0]


def frames(data: bytes) -> list[tuple[bytes, str]]:
    """Return type and message of each frame on the telemetry descriptor."""
    found = []
    while data:
        size = int.from_bytes(data[4:8])
        message = data[16 : 16 + size].decode()
        found.append((data[:4], comparable(message)))
        data = data[16 + size :]
    # The warning before the error of an init phase has words of its own.
    return [
        (kind, message) for kind, message in found if "LAMBDA_WARNING" not in message
    ]


# Values


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
).map(lambda content: ["plain", content])
scalars = (
    st.text().map(lambda text: ["text", text])
    | st.decimals().map(lambda number: ["decimal", str(number)])
    | st.floats().map(lambda number: ["float", repr(number)])
    | st.integers().map(lambda number: ["integer", number])
    | st.binary().map(lambda data: ["bytes", data.hex()])
    | st.sampled_from(
        [
            ["date", "2026-11-27"],
            ["time", "2026-11-27T01:02:03"],
            ["set", [1]],
            ["enum", ""],
            ["iterator", []],
        ]
    )
)
keys = (
    st.text().map(lambda text: ["plain", text])
    | st.integers().map(lambda number: ["integer", number])
    | st.floats().map(lambda number: ["float", repr(number)])
    | st.sampled_from(
        [["plain", None], ["plain", True], ["bytes", "6b"], ["decimal", "1"]]
    )
)
specs = st.recursive(
    plain | scalars,
    lambda children: (
        st.lists(children, max_size=3).map(lambda items: ["list", items])
        | st.lists(children, max_size=3).map(lambda items: ["tuple", items])
        | st.tuples(children, children).map(lambda items: ["named", list(items)])
        | st.lists(st.tuples(keys, children), max_size=3).map(
            lambda items: ["dict", [list(item) for item in items]]
        )
    ),
    max_leaves=8,
)


@settings(
    max_examples=2000 if profile() == "nightly" else 150,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(spec=specs)
def test_a_value_is_the_same_json(pair: Pair, spec: Any):
    send(pair, {"return": spec})


@pytest.mark.parametrize("kind", ["circular", "huge"])
def test_a_value_that_is_not_json_is_the_same_error(pair: Pair, kind: str):
    _, _, _, body = send(pair, {"return": [kind, ""]})

    assert json.loads(body)["errorType"] == "Runtime.MarshalError"


def test_bytes_are_sent_as_they_are(pair: Pair):
    path, headers, _, body = send(pair, {"return": ["bytes", "00ff"]})

    assert path == "invocation/request-1/response"
    assert headers["content-type"] == "application/unknown"
    assert body == b"\x00\xff"


def test_a_large_result_is_the_same_json(pair: Pair):
    _, _, _, body = send(pair, {"return": ["plain", ['"\\\u00e9\n' * 500_000]]})

    assert len(body) > 3_000_000


# Events


@pytest.fixture(scope="module")
def echoes() -> Iterator[Pair]:
    with Client("aws", "outcomes.echo") as aws, Client("own", "outcomes.echo") as own:
        yield aws, own


@settings(
    max_examples=2000 if profile() == "nightly" else 100,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(event=plain.map(lambda spec: spec[1]), ascii_only=st.booleans())
def test_an_event_is_read_the_same(echoes: Pair, event: Any, ascii_only: bool):
    send(echoes, json.dumps(event, ensure_ascii=ascii_only).encode())


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=utf-8"},
        {"content-type": "application/json"},
    ],
)
def test_a_payload_of_another_type_is_bytes(echoes: Pair, headers: dict[str, str]):
    base = {name: HEADERS[name] for name in HEADERS if name != "Content-Type"}

    send(echoes, b'{"a": 1}', base | headers)


@pytest.mark.parametrize(
    "payload", [b"{", b"", b"NaN", b"\xff", b'"\xff"', b"[1,]", b"[" * 200_000]
)
def test_what_is_not_json_is_the_same_kind_of_error(echoes: Pair, payload: bytes):
    posts = [client.send(payload) for client in echoes]

    # Each has the words of its own parser.
    theirs, ours = [json.loads(post.body) for post in posts if post]
    for error in (theirs, ours):
        assert error.pop("errorMessage").startswith("Unable to unmarshal input: ")
    assert ours == theirs
    assert ours["errorType"] == "Runtime.UnmarshalError"


CONTEXTS: list[dict[str, str]] = [
    {},
    {"Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"},
    {},
    {"Lambda-Runtime-Aws-Tenant-Id": "tenant"},
    {"Lambda-Runtime-Invocation-Id": "invocation-9"},
    {"Lambda-Runtime-Client-Context": "{}"},
    {"Lambda-Runtime-Client-Context": "null"},
    {
        "Lambda-Runtime-Client-Context": json.dumps(
            {
                "client": {"app_title": "é", "unknown": 1},
                "custom": {"a": 1},
                "w3c": {"traceparent": "00-1", "tracestate": 1, "other": "x"},
            },
            ensure_ascii=False,
        )
    },
    {"Lambda-Runtime-Client-Context": '{"w3c": "no object", "env": [1]}'},
    {"Lambda-Runtime-Client-Context": "{not JSON"},
    {"Lambda-Runtime-Cognito-Identity": '{"cognitoIdentityId": "a"}'},
    {"Lambda-Runtime-Cognito-Identity": "{"},
    {"lambda-runtime-deadline-ms": "1000"},
]


@pytest.mark.parametrize("headers", CONTEXTS)
def test_the_context_has_the_same_attributes(pair: Pair, headers: dict[str, str]):
    lower = {name.lower() for name in headers}
    base = {name: value for name, value in HEADERS.items() if name.lower() not in lower}

    send(pair, {"context": True}, base | headers)


# Errors

ERRORS = [
    ["ValueError", "a message"],
    ["ValueError", "two\nlines, é \u2028"],
    ["ValueError", ""],
    ["KeyError", "key"],
    ["no message", ""],
    ["made", "with an umlaut"],
    ["nested", "inner"],
    ["recursion", ""],
    ["compiled", "without a source"],
    ["AssertionError", "x" * 5000],
    ["ValueError", "x" * (1024 * 1024 + 1)],
    ["ExceptionGroup", "x"],
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: f"{e[0]}-{len(e[1])}")
def test_an_exception_is_the_same_error(pair: Pair, error: list[str]):
    headers = HEADERS | {"Lambda-Runtime-Invocation-Id": "invocation-9"}

    path, *_ = send(pair, {"fail": error}, headers)

    assert path == "invocation/request-1/error"


def test_the_cause_for_xray_is_left_out_above_one_mib(pair: Pair):
    _, _, small, _ = send(pair, {"fail": ["ValueError", "small"]})
    _, _, large, _ = send(pair, {"fail": ["ValueError", "x" * (1024 * 1024)]})

    assert small["exceptions"][0]["message"] == "small"
    assert large == {}


@pytest.mark.parametrize(
    ("event", "exit_code"),
    [
        ({"exit": 3}, 3),
        ({"exit": 0}, 0),
        ({"exit": "with a message"}, 1),
        ({"exit": None}, 0),
        ({"fail": ["KeyboardInterrupt", ""]}, -2),
        ({"fail": ["GeneratorExit", ""]}, 1),
    ],
)
def test_an_exit_of_the_function_ends_the_process_without_an_answer(
    event: Any, exit_code: int
):
    ended, answers = run([event])

    assert ended.exit_code == exit_code
    assert answers == [None]


@pytest.mark.parametrize("status", [200, 202, 301, 400, 403, 404, 500, 503])
@pytest.mark.parametrize("event", [{}, {"fail": ["ValueError", "x"]}])
def test_an_answer_that_lambda_refuses_ends_the_process(event: Any, status: int):
    codes = []
    for kind in KINDS:
        with Client(kind) as client:
            client.api.status = status
            assert client.send(json.dumps(event).encode())
            if status < 300:
                assert client.send(b"{}")
            codes.append(client.end().exit_code)
    assert codes == [1, 1]


# Logs

LOGGED = [
    {"print": ["a line", "ümlaut", ""]},
    {"log": [[10, "debug", {}], [20, "info", {}], [30, "w\nx", {}], [50, "fatal", {}]]},
    {"log": [[35, "between", {"number": 1}], [99, "above", {"nested": {"a": [1]}}]]},
    {"log": [[40, {"a": "dict"}, {"level": "taken"}], [40, "x", {"empty": None}]]},
    {"logged": ["ValueError", "logged"]},
    {"context log": "past the loggers\n"},
    {"fail": ["ValueError", "of the function"]},
    {"fail": ["compiled", "no source"]},
]
FORMATS: list[dict[str, str]] = [
    {},
    {"AWS_LAMBDA_LOG_FORMAT": "Text", "AWS_LAMBDA_LOG_LEVEL": "INFO"},
    {"AWS_LAMBDA_LOG_FORMAT": "JSON"},
    {"AWS_LAMBDA_LOG_FORMAT": "json", "AWS_LAMBDA_LOG_LEVEL": "TRACE"},
    {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "FATAL"},
    {"AWS_LAMBDA_LOG_LEVEL": "unknown"},
]


@pytest.mark.parametrize("variables", FORMATS)
@pytest.mark.parametrize("telemetry", [False, True])
def test_the_log_is_the_same(variables: dict[str, str], telemetry: bool):
    ended, _ = run(
        [*LOGGED, {"process": True}], variables=variables, telemetry=telemetry
    )

    assert "of the function" in (ended.frames.decode(errors="replace") or ended.output)


# The init phase


@pytest.mark.parametrize(
    ("handler", "error_type"),
    [
        ("nodot", "Runtime.MalformedHandlerName"),
        ("sys.exit", "Runtime.BuiltInModuleConflict"),
        ("absent.handle", "Runtime.ImportModuleError"),
        ("imports_nothing.handle", "Runtime.ImportModuleError"),
        ("outcomes.absent", "Runtime.HandlerNotFound"),
        ("raises.handle", "ZeroDivisionError"),
        ("broken.handle", "Runtime.UserCodeSyntaxError"),
    ],
)
@pytest.mark.parametrize("variables", FORMATS[:3:2])
def test_a_failed_init_phase_is_the_same_error(
    handler: str, error_type: str, variables: dict[str, str], tmp_path: Path
):
    # Not a file of the repository: linters would refuse it.
    (tmp_path / "broken.py").write_text("def handle(:\n    pass\n")
    ended, [answer] = run(
        handler=handler, variables=variables, folders=[FUNCTIONS, tmp_path]
    )

    assert ended.exit_code == 1
    assert answer[0] == "init/error"
    assert answer[1]["lambda-runtime-function-error-type"] == error_type
    assert "LAMBDA_WARNING" in ended.output


def test_an_exit_of_the_module_ends_the_process():
    ended, answers = run(handler="exits.handle")

    assert ended.exit_code == 7
    assert answers == [None]


@pytest.mark.parametrize(
    ("variables", "exit_code", "path"),
    [
        ({}, 1, None),
        ({"FAILING_HOOK": "before 1"}, 64, "init/error"),
        ({"EXITING_HOOK": "before 2"}, 64, "init/error"),
        ({"FAILING_HOOK": "after 2"}, 65, "restore/error"),
        ({"EXITING_HOOK": "after 1"}, 65, "restore/error"),
    ],
)
def test_the_hooks_of_snap_start_run_the_same(
    variables: dict[str, str], exit_code: int, path: str | None
):
    variables = variables | {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
    events: list[Any] = [] if path else [{}]

    ended, [answer] = run(events, "hooks.handle", variables)

    assert ended.exit_code == exit_code
    assert answer[0] == (path or "invocation/request-1/response")
    assert ended.output.startswith("before 2\n")
