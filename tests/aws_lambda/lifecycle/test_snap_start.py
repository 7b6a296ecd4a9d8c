"""SnapStart: what clones of a snapshot share, and what changed since it was taken."""

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.aws_lambda.lifecycle.conftest import json_lines
from tests.events import load_event
from tests.services.http_stub import HttpStub, Request
from tests.services.install import PROJECT

PARAMETER = "/site/database-url"
READY = load_event("http_default", rawPath="/health/ready")


# What clones do not share


@pytest.fixture(scope="module")
def clones(server: SiteServer) -> list[dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-m", "tests.aws_lambda.lifecycle.clones"],
        cwd=PROJECT,
        env=server.variables(server.postgresql.port)
        | {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    printed = [json.loads(process.stdout.readline()) for _ in range(5)]
    process.communicate("\n" * 5)
    return printed


def values(clones: list[dict[str, Any]], name: str, *, restored: bool) -> set[Any]:
    return {clone[name] for clone in clones if clone["restored"] is restored}


@pytest.mark.parametrize("name", ["backend", "random", "message_id"])
def test_clones_do_not_share_unique_values(clones: list[dict[str, Any]], name: str):
    assert len(values(clones, name, restored=True)) == 3


def test_a_snapshot_holds_no_connection(clones: list[dict[str, Any]]):
    assert not any(clone["held"] for clone in clones)


def test_clones_without_the_hook_share_random_numbers(
    clones: list[dict[str, Any]],
):
    assert len(values(clones, "random", restored=False)) == 1


def test_a_clone_serves_requests(server: SiteServer):
    variables = server.variables(server.postgresql.port)
    with ExecutionEnvironment(variables, snap_start=True) as environment:
        environment.restore()

        assert environment.invoke(READY)["statusCode"] == 200


def test_a_clone_logs_its_own_requests(server: SiteServer):
    variables = server.variables(server.postgresql.port) | {"LOG_LEVEL": "INFO"}
    trace = "1-69231c2e-4f5e6d7c8b9a0a1b2c3d4e5f"
    first, second = (load_event("http_default", rawPath="/") for _ in range(2))
    first["requestContext"]["requestId"] = "the-first"
    second["requestContext"]["requestId"] = "the-second"

    with ExecutionEnvironment(variables, snap_start=True) as environment:
        environment.restore()
        environment.api.trace = f"Root={trace}"
        environment.invoke(first)
        environment.invoke(second)
        log = environment.log

    access = [entry for entry in json_lines(log) if "status" in entry]
    assert [entry["request_id"] for entry in access] == ["the-first", "the-second"]
    assert [entry["cold_start"] for entry in access] == [True, False]
    assert {entry["trace_id"] for entry in access} == {trace}


# What has changed since the snapshot


class Store:
    """A Parameter Store with one parameter, which can be changed or deleted."""

    def __init__(self) -> None:
        self.value: str | None = None
        self.stub = HttpStub(self.answer)

    def answer(self, request: Request) -> tuple[int, str]:
        assert json.loads(request.body)["Names"] == [PARAMETER]
        if self.value is None:
            body: dict[str, list[Any]] = {
                "Parameters": [],
                "InvalidParameters": [PARAMETER],
            }
        else:
            body = {"Parameters": [{"Name": PARAMETER, "Value": self.value}]}
        return 200, json.dumps(body)

    @property
    def calls(self) -> int:
        """Return the number of API calls."""
        return len(self.stub.requests)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    with store.stub:
        yield store


def make_snapshot(
    server: SiteServer, store: Store, **more: str
) -> ExecutionEnvironment:
    """Return an environment whose DATABASE_URL is a parameter of the store."""
    variables = server.variables(server.postgresql.port) | {
        "DATABASE_URL": f"ssm:{PARAMETER}",
        "AWS_ENDPOINT_URL": store.stub.url,
    }
    return ExecutionEnvironment(
        variables | more,
        handler="tests.aws_lambda.lifecycle.restored.http",
        snap_start=True,
    )


def critical(environment: ExecutionEnvironment) -> dict[str, Any]:
    """Return the one log line of level FATAL."""
    log = json_lines(environment.log)
    [line] = [line for line in log if line["level"] == "FATAL"]
    return line


def test_a_clone_uses_the_current_password(server: SiteServer, store: Store):
    new = secrets.token_hex(16)
    store.value = server.url(server.postgresql.port)
    with make_snapshot(server, store) as clone:
        server.ask(f"ALTER ROLE {ROLE} PASSWORD '{new}'")
        try:
            store.value = store.value.replace(server.password, new)
            clone.restore()
            result = clone.invoke(READY)
        finally:
            server.ask(f"ALTER ROLE {ROLE} PASSWORD '{server.password}'")

    assert result["statusCode"] == 200
    # In the init phase and at the restore, but not after a failed login.
    assert store.calls == 2


def test_a_clone_uses_the_current_host(server: SiteServer, store: Store):
    old, new = Relay(server.postgresql.port), Relay(server.postgresql.port)
    try:
        store.value = server.url(old.port)
        with make_snapshot(server, store) as clone:
            old.close()
            store.value = server.url(new.port)
            clone.restore()

            assert clone.invoke(READY)["statusCode"] == 200
    finally:
        old.close()
        new.close()


def test_a_clone_without_its_parameter_ends(server: SiteServer, store: Store):
    store.value = server.url(server.postgresql.port)
    with make_snapshot(server, store) as clone:
        store.value = None
        clone.restore()
        with pytest.raises(FunctionError) as failure:
            clone.invoke(READY)

        assert failure.value.type == "RestoreError"
        assert not clone.alive
        assert "DATABASE_URL" in critical(clone)["exception"]["message"]


def test_a_receiver_that_raises_ends_the_clone(server: SiteServer, store: Store):
    store.value = server.url(server.postgresql.port)
    with make_snapshot(server, store, A_SECRET="hunter2") as clone:
        clone.restore()
        with pytest.raises(FunctionError) as failure:
            clone.invoke(READY)

        assert not clone.alive
        assert critical(clone)["exception"]["message"] == "hunter2"

    assert failure.value.type == "RestoreError"
    assert "failed with ValueError" in failure.value.message
    assert "hunter2" not in str(failure.value)
