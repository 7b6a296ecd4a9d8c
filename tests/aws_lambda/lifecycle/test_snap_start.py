"""What changes while a snapshot lies about, and what a clone then does."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from local.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.events import load_event
from tests.services.http_stub import HttpStub, Request

PARAMETER = "/site/database-url"
READY = load_event("http_default", rawPath="/health/ready")


class Store:
    """A Parameter Store with one parameter, which may be changed or taken away."""

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
    def asked(self) -> int:
        """Return how often it was asked."""
        return len(self.stub.requests)


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store()
    with store.stub:
        yield store


def snapshot(server: SiteServer, store: Store, **more: str) -> ExecutionEnvironment:
    """Return an environment that has its database from the store."""
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
    """Return the one log line of level CRITICAL."""
    lines = [json.loads(x) for x in environment.log.splitlines() if x[:1] == "{"]
    [line] = [line for line in lines if line["level"] == "CRITICAL"]
    found: dict[str, Any] = line
    return found


def test_a_clone_logs_in_with_the_password_of_now(server: SiteServer, store: Store):
    new = secrets.token_hex(16)
    store.value = server.url(server.postgresql.port)
    with snapshot(server, store) as clone:
        server.ask(f"ALTER ROLE {ROLE} PASSWORD '{new}'")
        try:
            store.value = store.value.replace(server.password, new)
            clone.restore()
            result = clone.invoke(READY)
        finally:
            server.ask(f"ALTER ROLE {ROLE} PASSWORD '{server.password}'")

    assert result["statusCode"] == 200
    # In the init phase and after the restoration, but not after a refusal.
    assert store.asked == 2


def test_a_clone_connects_to_where_the_database_is_now(
    server: SiteServer, store: Store
):
    old, new = Relay(server.postgresql.port), Relay(server.postgresql.port)
    try:
        store.value = server.url(old.port)
        with snapshot(server, store) as clone:
            old.close()
            store.value = server.url(new.port)
            clone.restore()

            assert clone.invoke(READY)["statusCode"] == 200
    finally:
        old.close()
        new.close()


def test_a_clone_whose_parameter_is_gone_ends(server: SiteServer, store: Store):
    store.value = server.url(server.postgresql.port)
    with snapshot(server, store) as clone:
        store.value = None
        clone.restore()
        with pytest.raises(FunctionError) as failure:
            clone.invoke(READY)

        assert failure.value.type == "RestoreError"
        assert not clone.alive
        assert "DATABASE_URL" in critical(clone)["exception"]["message"]


def test_a_receiver_that_raises_after_the_restoration_ends_the_clone(
    server: SiteServer, store: Store
):
    store.value = server.url(server.postgresql.port)
    with snapshot(server, store, A_SECRET="hunter2") as clone:
        clone.restore()
        with pytest.raises(FunctionError) as failure:
            clone.invoke(READY)

        assert not clone.alive
        assert critical(clone)["exception"]["message"] == "hunter2"

    assert failure.value.type == "RestoreError"
    assert "failed with ValueError" in failure.value.message
    assert "hunter2" not in str(failure.value)
