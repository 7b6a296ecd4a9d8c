"""Traces, as the X-Ray daemon gets them from a real runtime client."""

import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from local.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.server import SiteServer
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
    """Listen as the X-Ray daemon does, on a free UDP port."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.raw = ""

    @property
    def address(self) -> str:
        return "{}:{}".format(*self.socket.getsockname())

    def segments(self) -> list[Segment]:
        """Return what has arrived since the last call, and keep the text in ``raw``."""
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
    return environment.invoke(event, seconds)


def parts(segments: list[Segment]) -> tuple[Segment, list[Segment]]:
    """Return the request, which is the last to end, and what it did."""
    return segments[-1], segments[:-1]


def lines(environment: ExecutionEnvironment) -> list[dict[str, Any]]:
    """Return the log lines that are JSON."""
    return [json.loads(x) for x in environment.log.splitlines() if x[:1] == "{"]


def warnings(environment: ExecutionEnvironment) -> list[dict[str, Any]]:
    """Return what is complained of tracing."""
    names = (
        "apps.aws_lambda.observability.xray",
        "aws_xray_sdk",
    )
    return [line for line in lines(environment) if line["logger"].startswith(names)]


# What is told


def test_a_request_continues_the_segment_of_lambda(
    environment: ExecutionEnvironment, daemon: Daemon
):
    before = time.time()
    get(environment, "/look-up/any/", "page=2")

    request, _ = parts(daemon.segments())
    assert request["type"] == "subsegment"
    assert request["trace_id"] == ROOT
    assert request["parent_id"] == PARENT
    assert before < request["start_time"] < request["end_time"] < time.time()


def test_a_request_is_named_by_its_route_and_found_by_its_id(
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


def test_each_query_is_a_part_of_its_request(
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


def test_of_a_query_neither_the_sql_nor_a_parameter_is_told(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/look-up/any/")

    _, queries = parts(daemon.segments())
    assert [query["sql"] for query in queries] == [{"database_type": "postgresql"}] * 2
    assert "SELECT" not in daemon.raw
    assert SECRET not in daemon.raw


def test_an_address_that_does_not_exist_is_the_clients_error(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/absent/")

    [request] = daemon.segments()
    assert request["name"] == "GET none"
    assert request["http"]["response"] == {"status": 404}
    assert request["error"] is True
    assert "fault" not in request


def test_two_invocations_of_one_trace_have_each_their_own_parent(
    environment: ExecutionEnvironment, daemon: Daemon
):
    parents = ["1" * 16, "2" * 16]
    for parent in parents:
        environment.api.trace = f"Root={ROOT};Parent={parent};Sampled=1"
        get(environment, "/look-up/any/")

    told = daemon.segments()
    ids = {segment["id"] for segment in told}
    assert [s["parent_id"] for s in told if s["parent_id"] not in ids] == parents


# What fails


def test_a_view_that_raises_is_a_fault_whose_message_is_not_told(
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


def test_a_query_that_fails_is_a_fault_of_its_own(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/crash-in-query/")

    request, [query] = parts(daemon.segments())
    assert query["fault"] is True
    assert request["fault"] is True
    assert request["cause"]["exceptions"][0]["type"] == "ProgrammingError"
    assert SECRET not in daemon.raw


def test_a_view_that_exits_is_a_fault(
    environment: ExecutionEnvironment, daemon: Daemon
):
    assert get(environment, "/leave/")["statusCode"] == 500

    [request] = daemon.segments()
    assert request["fault"] is True
    assert SECRET not in daemon.raw


def test_a_request_that_is_out_of_time_is_a_fault_with_its_query(
    environment: ExecutionEnvironment, daemon: Daemon
):
    assert get(environment, "/slow-query/", seconds=1)["statusCode"] == 504

    request, queries = parts(daemon.segments())
    assert request["name"] == "GET /slow-query/"
    assert request["fault"] is True
    assert queries[-1]["fault"] is True
    assert queries[-1]["end_time"] - queries[-1]["start_time"] > 0.3


# Calls to others


@pytest.fixture
def other() -> Iterator[HttpStub]:
    """Answer that the service is busy, and afterwards with an empty object."""

    def answer(request: Request) -> Answer:
        return (503, "") if len(stub.requests) == 1 else (200, "{}")

    with HttpStub(answer) as stub:
        yield stub


@pytest.mark.parametrize("library", ["urllib3", "requests"])
def test_a_call_is_told_without_its_path_and_carries_the_trace_on(
    environment: ExecutionEnvironment, daemon: Daemon, other: HttpStub, library: str
):
    other.requests.append(Request("GET", "/", {}, b""))  # It is not busy.
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


def test_a_retry_belongs_to_its_call(
    environment: ExecutionEnvironment, daemon: Daemon, other: HttpStub
):
    get(environment, "/urllib3/", f"url={other.url}")

    assert len(other.requests) == 2
    _, [call] = parts(daemon.segments())
    assert call["http"]["response"] == {"status": 200}


def test_a_call_that_fails_is_a_fault(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/urllib3/", "url=http://127.0.0.1:1")

    request, [call] = parts(daemon.segments())
    assert call["fault"] is True
    assert request["cause"]["exceptions"][0]["type"] == "MaxRetryError"
    assert SECRET not in daemon.raw


def test_a_call_to_aws_is_one_subsegment_even_the_first(
    environment: ExecutionEnvironment, daemon: Daemon, other: HttpStub
):
    get(environment, "/boto3/", f"url={other.url}")

    request, [call] = parts(daemon.segments())
    assert (call["name"], call["namespace"]) == ("sqs", "aws")
    assert call["aws"]["operation"] == "ListQueues"
    assert call["parent_id"] == request["id"]
    assert call["http"]["response"] == {"status": 200}


def test_what_the_sdk_records_by_itself_gives_nothing_away(
    environment: ExecutionEnvironment, daemon: Daemon
):
    get(environment, "/by-hand/")

    _, [call] = parts(daemon.segments())
    assert call["name"] == "by hand"
    assert call["http"]["request"]["url"] == "https://example.com/"
    assert call["fault"] is True
    assert SECRET not in daemon.raw


# What must not be felt


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
def test_without_a_good_trace_header_requests_are_served_and_nothing_is_sent(
    environment: ExecutionEnvironment,
    daemon: Daemon,
    other: HttpStub,
    header: str | None,
):
    # Its segment is what the SDK would go on with.
    get(environment, "/look-up/any/")
    daemon.segments()
    environment.api.trace = header

    assert get(environment, "/look-up/any/")["statusCode"] == 200
    assert get(environment, "/crash/")["statusCode"] == 500
    assert get(environment, "/boto3/", f"url={other.url}")["statusCode"] == 200

    assert daemon.segments() == []


def test_what_the_sdk_complains_of_is_told_once(server: SiteServer, daemon: Daemon):
    with start(server, daemon.address) as environment:
        environment.api.trace = "garbage"
        for _ in range(3):
            get(environment, "/look-up/any/")

        [line] = warnings(environment)
    assert line["level"] == "WARNING"
    assert "malformed tracing header" in line["message"]


def test_a_daemon_that_cannot_be_reached_is_told_once(server: SiteServer):
    # Nothing can be sent to port 0.
    with start(server, "127.0.0.1:0") as environment:
        for _ in range(3):
            assert get(environment, "/look-up/any/")["statusCode"] == 200

        [line] = warnings(environment)
    assert line["level"] == "WARNING"
    assert "Failed to send" in line["message"]


@pytest.mark.alone
def test_a_daemon_that_is_dead_slows_nothing_down(
    server: SiteServer, environment: ExecutionEnvironment
):
    def milliseconds(environment: ExecutionEnvironment) -> float:
        times = []
        for _ in range(30):
            begin = time.perf_counter()
            assert get(environment, "/look-up/any/")["statusCode"] == 200
            times.append(time.perf_counter() - begin)
        return statistics.median(times) * 1000

    with start(server, "127.0.0.1:1") as orphan:
        # A wait of any kind would be more than this.
        assert milliseconds(orphan) < milliseconds(environment) + 20
        assert warnings(orphan) == []


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
def test_a_fault_of_the_sdk_breaks_no_request_and_is_told_once(
    server: SiteServer, daemon: Daemon, other: HttpStub, method: str
):
    with start(server, daemon.address) as environment:
        get(environment, f"/break-tracing/{method}/")

        assert get(environment, "/look-up/any/")["body"] == "0"
        assert get(environment, "/crash/")["statusCode"] == 500
        assert get(environment, "/urllib3/", f"url={other.url}")["body"] == "{}"

        [line] = warnings(environment)
        errors = [x["exception"] for x in lines(environment) if x["level"] == "ERROR"]
    assert line["level"] == "WARNING"
    assert line["exception"]["message"] == "The SDK has a fault"
    assert [error["message"] for error in errors] == [f"The password is {SECRET}"]


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:daemon"])
def test_an_sdk_that_cannot_start_breaks_nothing(server: SiteServer, address: str):
    with start(server, address) as environment:
        for _ in range(2):
            assert get(environment, "/look-up/any/")["statusCode"] == 200

        [line] = warnings(environment)
    assert line["level"] == "WARNING"
    assert line["exception"]["type"].endswith("InvalidDaemonAddressException")


# What it costs where it is off


def imported(environment: ExecutionEnvironment) -> set[str]:
    modules = json.loads(get(environment, "/imported/")["body"])
    return {name for name in modules if name.partition(".")[0] in LIBRARIES} | (
        {"xray"} if "apps.aws_lambda.observability.xray" in modules else set()
    )


def test_nothing_is_imported_or_sent_when_it_is_off(server: SiteServer, daemon: Daemon):
    with start(server, daemon.address, {"LAMBDA_TRACING": ""}) as environment:
        get(environment, "/look-up/any/")

        assert imported(environment) == set()
    assert daemon.segments() == []


def test_when_it_is_on_no_library_is_imported_for_its_sake(
    server: SiteServer, daemon: Daemon
):
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
