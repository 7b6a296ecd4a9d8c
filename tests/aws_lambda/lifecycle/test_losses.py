"""An environment that is killed, frozen, timed out and overloaded: what is lost."""

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

from local.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.events import load_event

# Seconds: for requests that are to run out of time, and for all others.
SHORT, LONG = 2, 28
ENVIRONMENTS, CONNECTIONS = 5, 2
# What has ended its transaction before it fails; the client is told of an error.
AFTER_THE_COMMIT = {"large"}


@dataclass(frozen=True)
class Outcome:
    """What a client was told of its request. Status 0: the environment was lost."""

    id: str
    how: str
    then: str
    status: int
    lambda_id: str

    @property
    def promised(self) -> bool:
        return self.status == 200


class Clients:
    """Send requests, and remember what came of each."""

    def __init__(self, server: SiteServer) -> None:
        self.server = server
        self.outcomes: list[Outcome] = []
        self.logs: list[Callable[[], str]] = []

    @contextmanager
    def environment(self) -> Iterator[ExecutionEnvironment]:
        # Connections are kept, so that a freeze has one to lose.
        variables = self.server.variables(self.server.postgresql.port, "proxy")
        with ExecutionEnvironment(
            variables, handler="tests.aws_lambda.lifecycle.entry.http"
        ) as environment:
            self.logs.append(lambda: environment.log)
            yield environment

    def send(
        self,
        environment: ExecutionEnvironment,
        how: str,
        then: str = "answer",
        seconds: float = LONG,
    ) -> Outcome:
        request_id = uuid4().hex
        event = load_event("http_default", rawPath=f"/keep/{how}/{request_id}/{then}/")
        event["requestContext"]["requestId"] = request_id
        status, lambda_id = 0, ""
        try:
            status = environment.invoke(event, seconds)["statusCode"]
        except FunctionError as error:
            lambda_id = error.request_id
        outcome = Outcome(request_id, how, then, status, lambda_id)
        self.outcomes.append(outcome)
        return outcome

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock that requests wait for."""
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

    def reasons(self, outcome: Outcome) -> list[str]:
        """Return the log lines that say why a request failed."""
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
        assert time.monotonic() < deadline, "It does not happen."
        time.sleep(0.02)


def interrupt(
    clients: Clients,
    environment: ExecutionEnvironment,
    how: str,
    end: Callable[[], Any],
) -> Outcome:
    """Do something to a request that has written and waits."""
    with ThreadPoolExecutor(1) as pool, clients.lock():
        sent = pool.submit(clients.send, environment, how, "wait")
        eventually(lambda: clients.waiting() == 1)
        end()
        outcome = sent.result()
    # The server's side of a killed environment ends when it has the lock.
    eventually(lambda: clients.waiting() == 0)
    return outcome


def test_nothing_that_was_promised_is_lost_and_every_failure_has_a_logged_reason(
    server: SiteServer,
):
    clients = Clients(server)

    with ExitStack() as stack:
        killed = [stack.enter_context(clients.environment()) for _ in range(2)]
        for how, environment in zip(("atomic", "autocommit"), killed, strict=True):
            assert clients.send(environment, how).promised

            # Killed in the middle of a request.
            kill = partial(os.killpg, environment.pid, signal.SIGKILL)
            assert interrupt(clients, environment, how, kill).status == 0

    with clients.environment() as environment:
        # Its connection is ended under a request.
        outcome = interrupt(clients, environment, "atomic", server.terminate)
        assert outcome.status == 500
        assert clients.send(environment, "atomic").promised

        # Frozen, while the connection is ended, and while the server restarts.
        for fault in (server.terminate, server.postgresql.restart):
            environment.freeze()
            fault()
            environment.thaw()
            assert clients.send(environment, "atomic").promised

        # Views that fail, and a response that Lambda does not take.
        for then, how in [
            *(("crash", "atomic"), ("crash", "autocommit"), ("exit", "atomic")),
            *(("exit", "autocommit"), ("large", "atomic")),
        ]:
            assert clients.send(environment, how, then).status == 500
            assert clients.send(environment, how).promised

        # Out of time: the guard ends it.
        for how in ("atomic", "autocommit"):
            assert clients.send(environment, how, "sleep", SHORT).status == 504
            assert clients.send(environment, how).promised

        # Out of time where the guard cannot: Lambda ends it.
        assert clients.send(environment, "atomic", "hold", SHORT).status == 0
        assert not environment.alive

    # More environments at work than the database has connections.
    server.ask(f"ALTER ROLE {ROLE} CONNECTION LIMIT {CONNECTIONS}")
    try:
        with ExitStack() as stack, ThreadPoolExecutor(ENVIRONMENTS) as pool:
            environments = [
                stack.enter_context(clients.environment()) for _ in range(ENVIRONMENTS)
            ]
            # The server has forgotten the connection of the one before.
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
    promised = [outcome for outcome in clients.outcomes if outcome.promised]
    failed = [outcome for outcome in clients.outcomes if not outcome.promised]
    assert (len(promised), len(failed)) == (14, 14)

    # Nothing that was committed is lost, and nothing is there twice.
    assert [kept.count(outcome.id) for outcome in promised] == [1] * len(promised)
    # Of an atomic view that failed nothing is left.
    undone = {
        outcome.id
        for outcome in failed
        if outcome.how == "atomic" and outcome.then not in AFTER_THE_COMMIT
    }
    assert undone.isdisjoint(kept)
    # There is nothing else.
    assert set(kept) <= {outcome.id for outcome in clients.outcomes}
    # And no client was told of an error that the log does not explain.
    assert [outcome for outcome in failed if not clients.reasons(outcome)] == []
