"""Traces, as the X-Ray daemon receives them from the runtime client."""

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.lifecycle.conftest import json_lines
from tests.events import load_event
from tests.services.http_stub import Answer, HttpStub, Request
from tests.services.install import PROJECT

ROOT = "1-69231c2e-4f5e6d7c8b9a0a1b2c3d4e5f"
PARENT = "53995c3f42cd8ad8"
SAMPLED = f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=1:a87bd80c:0"
SECRET = "hunter2"
LIBRARIES = {"aws_xray_sdk", "boto3", "botocore", "httpx", "requests", "urllib3"}

Segment = dict[str, Any]


class Daemon:
    """An X-Ray daemon that listens on a free UDP port."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.raw = ""

    @property
    def address(self) -> str:
        return "{}:{}".format(*self.socket.getsockname())

    def segments(self) -> list[Segment]:
        """Return the segments since the last call; ``raw`` is their text."""
        self.raw = ""
        segments: list[Segment] = []
        while True:
            try:
                data = self.socket.recv(2**16).decode()
            except BlockingIOError:
                return segments
            header, _, body = data.partition("\n")
            assert json.loads(header) == {"format": "json", "version": 1}
            self.raw += body
            segments.append(json.loads(body))


@pytest.fixture(scope="module")
def listening() -> Iterator[Daemon]:
    daemon = Daemon()
    yield daemon
    daemon.socket.close()


@pytest.fixture
def daemon(listening: Daemon) -> Daemon:
    listening.segments()
    return listening


def start(
    server: SiteServer, daemon: str, variables: dict[str, str] | None = None
) -> ExecutionEnvironment:
    environment = ExecutionEnvironment(
        server.variables(server.postgresql.port)
        | {"AWS_XRAY_DAEMON_ADDRESS": daemon, "LAMBDA_TRACING": "true"}
        | {"A_SECRET": SECRET}
        | (variables or {}),
        handler="tests.aws_lambda.lifecycle.traced.http",
    )
    environment.api.trace = SAMPLED
    return environment


@pytest.fixture(scope="module")
def shared(server: SiteServer, listening: Daemon) -> Iterator[ExecutionEnvironment]:
    with start(server, listening.address) as environment:
        yield environment


@pytest.fixture
def environment(shared: ExecutionEnvironment) -> ExecutionEnvironment:
    shared.api.trace = SAMPLED
    return shared


def get(
    environment: ExecutionEnvironment, path: str, query: str = "", seconds: float = 28
) -> Any:
    event = load_event("http_default", rawPath=path, rawQueryString=query)
    event["headers"]["accept-encoding"] = "identity"
    return environment.invoke(event, seconds)


def parts(segments: list[Segment]) -> tuple[Segment, list[Segment]]:
    """Return the segment of the request, which ends last, and the others."""
    return segments[-1], segments[:-1]


def warnings(environment: ExecutionEnvironment) -> list[dict[str, Any]]:
    """Return the log lines about tracing."""
    names = ("apps.aws_lambda.observability.xray", "aws_xray_sdk")
    return [
        line for line in json_lines(environment.log) if line["logger"].startswith(names)
    ]


# Requests and queries


def test_a_request_continues_lambdas_segment(
    environment: ExecutionEnvironment, daemon: Daemon
):
    before = time.time()
    get(environment, "/look-up/any/", "page=2")

    request, _ = parts(daemon.segments())
    assert request["type"] == "subsegment"
    assert request["trace_id"] == ROOT
    assert request["parent_id"] == PARENT
    assert before < request["start_time"] < request["end_time"] < time.time()


def test_a_request_has_its_route_and_its_id(
    environment: ExecutionEnvironment, daemon: Daemon
):
    result = get(environment, "/look-up/any/", "page=2")

    request, _ = parts(daemon.segments())
    assert request["name"] == "GET /look-up/str:name/"
    assert request["annotations"] == {
        "request_id": result["headers"]["x-request-id"],
        "route": "/look-up/<str:name>/",
    }
    host = "h1t2t3p4a5.execute-api.eu-west-1.amazonaws.com"
    assert request["http"] == {
        "request": {"method": "GET", "url": f"https://{host}/look-up/any/"},
        "response": {"status": 200},
    }
    assert "fault" not in request
    assert "error" not in request


def test_each_query_is_a_subsegment_of_its_request(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/look-up/any/")

    request, queries = parts(daemon.segments())
    assert len(queries) == 2
    for query in queries:
        assert query["name"] == "default/postgresql"
        assert query["namespace"] == "remote"
        assert query["trace_id"] == ROOT
        assert query["parent_id"] == request["id"]
        assert request["start_time"] <= query["start_time"]
        assert query["end_time"] <= request["end_time"]


def test_sql_and_parameters_are_not_recorded(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/look-up/any/")

    _, queries = parts(daemon.segments())
    assert [query["sql"] for query in queries] == [{"database_type": "postgresql"}] * 2
    assert "SELECT" not in daemon.raw
    assert SECRET not in daemon.raw


def test_an_unknown_url_is_a_client_error(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/absent/")

    [request] = daemon.segments()
    assert request["name"] == "GET none"
    assert request["http"]["response"] == {"status": 404}
    assert request["error"] is True
    assert "fault" not in request


def test_invocations_of_one_trace_have_their_own_parents(
    environment: ExecutionEnvironment, daemon: Daemon
):
    parents = ["1" * 16, "2" * 16]
    for parent in parents:
        environment.api.trace = f"Root={ROOT};Parent={parent};Sampled=1"
        get(environment, "/look-up/any/")

    segments = daemon.segments()
    ids = {segment["id"] for segment in segments}
    assert [s["parent_id"] for s in segments if s["parent_id"] not in ids] == parents


def test_response_log_metrics_and_trace_share_the_request_id(
    server: SiteServer, daemon: Daemon
):
    variables = server.variables(server.postgresql.port) | {
        "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
        "LAMBDA_TRACING": "true",
        "LOG_LEVEL": "INFO",
    }
    event = load_event("http_default", rawPath="/health/ready")
    event["requestContext"]["requestId"] = "the-one"

    with ExecutionEnvironment(variables) as environment:
        environment.api.trace = SAMPLED
        result = environment.invoke(event)
        log = environment.log

    assert result["statusCode"] == 200
    assert result["headers"]["x-request-id"] == "the-one"

    [access] = [x for x in json_lines(log) if x.get("request_id") == "the-one"]
    assert access["route"] == "/health/ready"
    assert access["queries"] == 1
    assert access["queries_ms"] > 0
    assert access["trace_id"] in SAMPLED

    # The access line carries the metrics.
    metrics = access["_aws"]["CloudWatchMetrics"][0]
    names = {metric["Name"] for metric in metrics["Metrics"]}
    assert {"Requests", "Duration", "DatabaseTime", "ColdStarts"} <= names
    assert access["Requests"] == access["ColdStarts"] == 1

    *queries, request = daemon.segments()
    assert "the-one" in json.dumps(request["annotations"])
    assert request["trace_id"] == access["trace_id"]
    assert len(queries) == 1


# Failures


def test_a_view_that_raises_is_a_fault_without_its_message(
    environment: ExecutionEnvironment, daemon: Daemon
):
    assert get(environment, "/crash/")["statusCode"] == 500

    [request] = daemon.segments()
    assert request["fault"] is True
    [exception] = request["cause"]["exceptions"]
    assert exception["type"] == "RuntimeError"
    last = exception["stack"][-1]
    assert (last["path"], last["label"]) == ("traced.py", "crash")
    assert "message" not in exception
    assert SECRET not in daemon.raw


def test_a_failed_query_is_a_fault(environment: ExecutionEnvironment, daemon: Daemon):
    get(environment, "/crash-in-query/")

    request, [query] = parts(daemon.segments())
    assert query["fault"] is True
    assert request["fault"] is True
    assert request["cause"]["exceptions"][0]["type"] == "ProgrammingError"
    assert SECRET not in daemon.raw


def test_a_view_that_exits_is_a_fault(
    environment: ExecutionEnvironment, daemon: Daemon
):
    assert get(environment, "/exit/")["statusCode"] == 500

    [request] = daemon.segments()
    assert request["fault"] is True
    assert SECRET not in daemon.raw


def test_a_request_that_exceeds_the_deadline_is_a_fault(
    environment: ExecutionEnvironment, daemon: Daemon
):
    assert get(environment, "/slow-query/", seconds=1)["statusCode"] == 504

    request, queries = parts(daemon.segments())
    assert request["name"] == "GET /slow-query/"
    assert request["fault"] is True
    assert queries[-1]["fault"] is True
    assert queries[-1]["end_time"] - queries[-1]["start_time"] > 0.3


# Calls to other services


@pytest.fixture
def other() -> Iterator[HttpStub]:
    """Respond with 503 to the first request, and with an empty object to the others."""

    def answer(request: Request) -> Answer:
        return (503, "") if len(stub.requests) == 1 else (200, "{}")

    with HttpStub(answer) as stub:
        yield stub


@pytest.mark.parametrize("library", ["urllib3", "requests"])
def test_a_call_carries_the_trace_header(
    environment: ExecutionEnvironment, daemon: Daemon, other: HttpStub, library: str
):
    other.requests.append(
        Request("GET", "/", {}, b"")
    )  # so that the next is not the first
    result = get(environment, f"/{library}/", f"url={other.url}")

    assert result["body"] == "{}"
    request, [call] = parts(daemon.segments())
    assert call["name"] == "127.0.0.1"
    assert call["namespace"] == "remote"
    assert call["parent_id"] == request["id"]
    assert call["http"] == {
        "request": {"method": "GET", "url": "http://127.0.0.1/"},
        "response": {"status": 200},
    }
    assert SECRET not in daemon.raw
    [_, received] = other.requests
    header = f"Root={ROOT};Parent={call['id']};Sampled=1;Lineage=1:a87bd80c:0"
    assert received.headers["x-amzn-trace-id"] == header


def test_a_retry_is_part_of_its_call(
    environment: ExecutionEnvironment, daemon: Daemon, other: HttpStub
):
    get(environment, "/urllib3/", f"url={other.url}")

    assert len(other.requests) == 2
    _, [call] = parts(daemon.segments())
    assert call["http"]["response"] == {"status": 200}


def test_a_failed_call_is_a_fault(environment: ExecutionEnvironment, daemon: Daemon):
    get(environment, "/urllib3/", "url=http://127.0.0.1:1")

    request, [call] = parts(daemon.segments())
    assert call["fault"] is True
    assert request["cause"]["exceptions"][0]["type"] == "MaxRetryError"
    assert SECRET not in daemon.raw


def test_the_first_call_to_aws_is_one_subsegment(
    environment: ExecutionEnvironment, daemon: Daemon, other: HttpStub
):
    get(environment, "/boto3/", f"url={other.url}")

    request, [call] = parts(daemon.segments())
    assert (call["name"], call["namespace"]) == ("sqs", "aws")
    assert call["aws"]["operation"] == "ListQueues"
    assert call["parent_id"] == request["id"]
    assert call["http"]["response"] == {"status": 200}


def test_subsegments_of_the_project_have_no_secrets(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/by-hand/")

    _, [call] = parts(daemon.segments())
    assert call["name"] == "by hand"
    assert call["http"]["request"]["url"] == "https://example.com/"
    assert call["fault"] is True
    assert SECRET not in daemon.raw


# No trace, or no tracing


def test_a_trace_that_is_not_sampled_sends_nothing(
    environment: ExecutionEnvironment, daemon: Daemon
):
    environment.api.trace = SAMPLED.replace("Sampled=1", "Sampled=0")

    assert get(environment, "/look-up/any/")["statusCode"] == 200
    assert get(environment, "/crash/")["statusCode"] == 500

    assert daemon.segments() == []


@pytest.mark.parametrize(
    "header",
    [
        None,
        "garbage",
        "=;=;=",
        f"Root={ROOT}",
        f"Root={ROOT};Parent={PARENT}",
        f"Root={ROOT};Parent={PARENT};Sampled=?",
        f"Root={ROOT};Parent={PARENT};Sampled=maybe",
    ],
)
def test_without_a_valid_trace_header_nothing_is_sent(
    environment: ExecutionEnvironment,
    daemon: Daemon,
    other: HttpStub,
    header: str | None,
):
    # The SDK would otherwise continue this segment.
    get(environment, "/look-up/any/")
    daemon.segments()
    environment.api.trace = header

    assert get(environment, "/look-up/any/")["statusCode"] == 200
    assert get(environment, "/crash/")["statusCode"] == 500
    assert get(environment, "/boto3/", f"url={other.url}")["statusCode"] == 200

    assert daemon.segments() == []


def test_a_warning_of_the_sdk_is_logged_once(server: SiteServer, daemon: Daemon):
    with start(server, daemon.address) as environment:
        environment.api.trace = "garbage"
        for _ in range(3):
            get(environment, "/look-up/any/")

        [line] = warnings(environment)
    assert line["level"] == "WARN"
    assert "malformed tracing header" in line["message"]


def test_an_unreachable_daemon_is_logged_once(server: SiteServer):
    # Sending to port 0 fails.
    with start(server, "127.0.0.1:0") as environment:
        for _ in range(3):
            assert get(environment, "/look-up/any/")["statusCode"] == 200

        [line] = warnings(environment)
    assert line["level"] == "WARN"
    assert "Failed to send" in line["message"]


@pytest.mark.alone
def test_a_missing_daemon_does_not_slow_requests_down(
    server: SiteServer, environment: ExecutionEnvironment
):
    def milliseconds(environment: ExecutionEnvironment) -> float:
        times = []
        for _ in range(30):
            begin = time.perf_counter()
            assert get(environment, "/look-up/any/")["statusCode"] == 200
            times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1000

    with start(server, "127.0.0.1:1") as without_daemon:
        # Any wait would take longer.
        assert milliseconds(without_daemon) < milliseconds(environment) + 20
        assert warnings(without_daemon) == []


@pytest.mark.parametrize(
    "method",
    [
        "begin_subsegment",
        "clear_trace_entities",
        "current_subsegment",
        "end_subsegment",
        "is_sampled",
    ],
)
def test_an_exception_of_the_sdk_is_logged_once(
    server: SiteServer, daemon: Daemon, other: HttpStub, method: str
):
    with start(server, daemon.address) as environment:
        get(environment, f"/break-tracing/{method}/")

        assert get(environment, "/look-up/any/")["body"] == "0"
        assert get(environment, "/crash/")["statusCode"] == 500
        assert get(environment, "/urllib3/", f"url={other.url}")["body"] == "{}"

        [line] = warnings(environment)
        errors = [
            x["exception"] for x in json_lines(environment.log) if x["level"] == "ERROR"
        ]
    assert line["level"] == "WARN"
    assert line["exception"]["message"] == "The SDK failed"
    assert [error["message"] for error in errors] == [f"The password is {SECRET}"]


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:daemon"])
def test_requests_are_served_if_the_sdk_cannot_start(server: SiteServer, address: str):
    with start(server, address) as environment:
        for _ in range(2):
            assert get(environment, "/look-up/any/")["statusCode"] == 200

        [line] = warnings(environment)
    assert line["level"] == "WARN"
    assert line["exception"]["type"].endswith("InvalidDaemonAddressException")


# Imports


def imported(environment: ExecutionEnvironment) -> set[str]:
    modules = json.loads(get(environment, "/imported/")["body"])
    return {name for name in modules if name.partition(".")[0] in LIBRARIES} | (
        {"xray"} if "apps.aws_lambda.observability.xray" in modules else set()
    )


def test_disabled_tracing_imports_and_sends_nothing(server: SiteServer, daemon: Daemon):
    with start(server, daemon.address, {"LAMBDA_TRACING": ""}) as environment:
        get(environment, "/look-up/any/")

        assert imported(environment) == set()
    assert daemon.segments() == []


def test_tracing_imports_no_other_library(server: SiteServer, daemon: Daemon):
    with start(server, daemon.address) as environment:
        get(environment, "/look-up/any/")

        names = {name.partition(".")[0] for name in imported(environment)}
    assert names == {"xray", "aws_xray_sdk"}


def test_outside_lambda_the_sdk_is_not_imported(server: SiteServer):
    program = "import sys, lambda_entry; print('aws_xray_sdk' in sys.modules)"
    variables = server.variables(server.postgresql.port) | {"LAMBDA_TRACING": "true"}

    output = subprocess.run(
        [sys.executable, "-c", program],
        cwd=PROJECT,
        env=variables,
        capture_output=True,
        check=True,
        text=True,
    ).stdout

    assert output == "False\n"
