"""No data is lost when environments are killed, frozen, timed out or overloaded."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.events import load_event

# Lambda's timeout in seconds: for requests that exceed it, and for all others.
SHORT, LONG = 2, 28
ENVIRONMENTS, CONNECTIONS = 5, 2
# Actions that fail after the commit: the client receives an error.
AFTER_THE_COMMIT = {"large"}


@dataclass(frozen=True)
class Outcome:
    """The response to a request. Status 0: the environment was killed."""

    id: str
    mode: str
    action: str
    status: int
    lambda_id: str

    @property
    def succeeded(self) -> bool:
        return self.status == 200


class Clients:
    """Send requests, and keep the outcome of each."""

    def __init__(self, server: SiteServer) -> None:
        self.server = server
        self.outcomes: list[Outcome] = []
        self.logs: list[Callable[[], str]] = []

    @contextmanager
    def environment(self) -> Iterator[ExecutionEnvironment]:
        # The profile keeps connections, so that a freeze can break them.
        variables = self.server.variables(self.server.postgresql.port, "proxy")
        with ExecutionEnvironment(
            variables, handler="tests.aws_lambda.lifecycle.failing.http"
        ) as environment:
            self.logs.append(lambda: environment.log)
            yield environment

    def send(
        self,
        environment: ExecutionEnvironment,
        mode: str,
        action: str = "answer",
        seconds: float = LONG,
    ) -> Outcome:
        request_id = uuid4().hex
        event = load_event(
            "http_default", rawPath=f"/create/{mode}/{request_id}/{action}/"
        )
        event["requestContext"]["requestId"] = request_id
        status, lambda_id = 0, ""
        try:
            status = environment.invoke(event, seconds)["statusCode"]
        except FunctionError as error:
            lambda_id = error.request_id
        outcome = Outcome(request_id, mode, action, status, lambda_id)
        self.outcomes.append(outcome)
        return outcome

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock that requests with the action "wait" wait for."""
        url = self.server.postgresql.url(ROLE)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SELECT pg_advisory_lock(7)")
            yield

    def waiting(self) -> int:
        query = (
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        )
        [(count,)] = self.server.ask(query)
        return int(count)

    def causes(self, outcome: Outcome) -> list[str]:
        """Return the log lines with the cause of a failed request."""
        lines = [line for log in self.logs for line in log().splitlines()]
        if outcome.status == 0:
            return [line for line in lines if outcome.lambda_id in line]
        found = []
        for line in lines:
            entry: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            if entry.get("request_id") == outcome.id and entry["level"] == "ERROR":
                found.append(line)
        return found


def eventually(happened: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.02)


def interrupt(
    clients: Clients,
    environment: ExecutionEnvironment,
    mode: str,
    end: Callable[[], Any],
) -> Outcome:
    """Call ``end`` while a request that has written to the database waits."""
    with ThreadPoolExecutor(1) as pool, clients.lock():
        sent = pool.submit(clients.send, environment, mode, "wait")
        eventually(lambda: clients.waiting() == 1)
        end()
        outcome = sent.result()
    # The backend of a killed environment ends once it has the lock.
    eventually(lambda: clients.waiting() == 0)
    return outcome


def test_no_committed_data_is_lost(server: SiteServer):
    clients = Clients(server)

    with ExitStack() as stack:
        killed = [stack.enter_context(clients.environment()) for _ in range(2)]
        for mode, environment in zip(("atomic", "autocommit"), killed, strict=True):
            assert clients.send(environment, mode).succeeded

            # Killed during a request.
            kill = partial(os.killpg, environment.pid, signal.SIGKILL)
            assert interrupt(clients, environment, mode, kill).status == 0

    with clients.environment() as environment:
        # The connection is terminated during a request.
        outcome = interrupt(clients, environment, "atomic", server.terminate)
        assert outcome.status == 500
        assert clients.send(environment, "atomic").succeeded

        # The connection is terminated, or the server restarts, during a freeze.
        for fault in (server.terminate, server.postgresql.restart):
            environment.freeze()
            fault()
            environment.thaw()
            assert clients.send(environment, "atomic").succeeded

        # Views that fail, and a response over Lambda's limit.
        for action, mode in [
            *(("crash", "atomic"), ("crash", "autocommit"), ("exit", "atomic")),
            *(("exit", "autocommit"), ("large", "atomic")),
        ]:
            assert clients.send(environment, mode, action).status == 500
            assert clients.send(environment, mode).succeeded

        # The deadline guard interrupts the request.
        for mode in ("atomic", "autocommit"):
            assert clients.send(environment, mode, "sleep", SHORT).status == 504
            assert clients.send(environment, mode).succeeded

        # The guard cannot interrupt the request, so Lambda kills the environment.
        assert clients.send(environment, "atomic", "block", SHORT).status == 0
        assert not environment.alive

    # More environments than the database has connections.
    server.ask(f"ALTER ROLE {ROLE} CONNECTION LIMIT {CONNECTIONS}")
    try:
        with ExitStack() as stack, ThreadPoolExecutor(ENVIRONMENTS) as pool:
            environments = [
                stack.enter_context(clients.environment()) for _ in range(ENVIRONMENTS)
            ]
            # The connection of the previous environment is closed.
            eventually(lambda: server.held() == 0)
            with clients.lock():
                sent: list[Future[Outcome]] = [
                    pool.submit(clients.send, environment, "atomic", "wait")
                    for environment in environments
                ]
                refused = ENVIRONMENTS - CONNECTIONS
                eventually(lambda: sum(future.done() for future in sent) == refused)
                assert clients.waiting() == CONNECTIONS
            statuses = sorted(future.result().status for future in sent)
            assert statuses == [200] * CONNECTIONS + [500] * refused
    finally:
        server.ask(f"ALTER ROLE {ROLE} CONNECTION LIMIT -1")

    rows = server.ask("SELECT title FROM documents_document WHERE title <> 'Minutes'")
    kept = [title for (title,) in rows]
    succeeded = [outcome for outcome in clients.outcomes if outcome.succeeded]
    failed = [outcome for outcome in clients.outcomes if not outcome.succeeded]
    assert (len(succeeded), len(failed)) == (14, 14)

    # Each successful request has created exactly one row.
    assert [kept.count(outcome.id) for outcome in succeeded] == [1] * len(succeeded)
    # Failed atomic views are rolled back.
    rolled_back = {
        outcome.id
        for outcome in failed
        if outcome.mode == "atomic" and outcome.action not in AFTER_THE_COMMIT
    }
    assert rolled_back.isdisjoint(kept)
    # There are no other rows.
    assert set(kept) <= {outcome.id for outcome in clients.outcomes}
    # The log has the cause of every failure.
    assert [outcome for outcome in failed if not clients.causes(outcome)] == []
