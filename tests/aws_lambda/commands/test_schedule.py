"""Scheduled commands, in the real runtime client."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from apps.aws_lambda.commands import schedule
from apps.aws_lambda.events import UnsupportedEvent
from tests.aws_lambda.commands.conftest import eventually
from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.services.pgbouncer import PgBouncer


def environment(server: SiteServer, port: int, profile: str) -> ExecutionEnvironment:
    return ExecutionEnvironment(
        server.variables(port, profile)
        | {
            "DJANGO_SETTINGS_MODULE": "tests.aws_lambda.commands.settings",
            "LOG_LEVEL": "INFO",
        },
        handler="lambda_entry.schedule",
    )


@pytest.fixture(scope="module", params=["direct", "through pgbouncer"])
def place(
    request: pytest.FixtureRequest, server: SiteServer, pgbouncer: PgBouncer
) -> tuple[int, str]:
    """Return the port and the profile to reach the database with."""
    if request.param == "direct":
        return server.postgresql.port, "direct"
    return pgbouncer.port, "proxy"


@pytest.fixture(scope="module")
def running(
    server: SiteServer, place: tuple[int, str]
) -> Iterator[ExecutionEnvironment]:
    with environment(server, *place) as running:
        yield running


def lines(running: ExecutionEnvironment) -> list[dict[str, Any]]:
    return [json.loads(line) for line in running.log.splitlines() if line[:1] == "{"]


def outcome(running: ExecutionEnvironment) -> dict[str, Any]:
    """Return the last log line that has the metrics of a run."""
    return [line for line in lines(running) if "ScheduleDuration" in line][-1]


def scheduled(what: str) -> dict[str, Any]:
    return {"command": "misbehave", "args": [what]}


def test_clearsessions_deletes_expired_sessions(
    running: ExecutionEnvironment, server: SiteServer
):
    server.ask(
        "INSERT INTO django_session VALUES ('old', '', now() - interval '1 day')"
    )

    assert running.invoke({"command": "clearsessions", "args": []}) is None

    keys = [key for (key,) in server.ask("SELECT session_key FROM django_session")]
    assert "old" not in keys
    assert server.session in keys
    line = outcome(running)
    assert line["message"] == "The scheduled clearsessions succeeded"
    assert line["ScheduleSucceeded"] == 1
    assert line["ScheduleFailed"] == line["ScheduleSkipped"] == 0
    assert line["ScheduleDuration"] > 0
    [metrics] = line["_aws"]["CloudWatchMetrics"]
    assert metrics["Dimensions"] == [["FunctionName"], ["FunctionName", "command"]]
    assert line["command"] == "clearsessions"


@pytest.mark.parametrize(
    ("what", "exit_code"), [("fail", 1), ("exit", 3), ("abandon", 1)]
)
def test_a_failure_fails_the_invocation_without_repeating_the_error(
    running: ExecutionEnvironment, what: str, exit_code: int
):
    with pytest.raises(FunctionError) as failed:
        running.invoke(scheduled(what))

    assert failed.value.type == "ScheduleFailed"
    assert failed.value.message == (
        f"misbehave failed with exit code {exit_code}: see the log of this request."
    )
    assert outcome(running)["level"] == "ERROR"
    assert outcome(running)["ScheduleFailed"] == 1


@pytest.mark.parametrize("exit_code", [75, 124])
def test_a_command_that_exits_with_75_or_124_failed(
    running: ExecutionEnvironment, exit_code: int
):
    with pytest.raises(FunctionError, match=f"failed with exit code {exit_code}:"):
        running.invoke(scheduled(f"exit-{exit_code}"))

    line = outcome(running)
    assert line["message"].endswith(f"failed with exit code {exit_code}")
    assert line["level"] == "ERROR"
    assert line["ScheduleFailed"] == 1
    assert line["ScheduleSkipped"] == 0


def test_the_log_has_output_and_traceback_with_the_request_id(
    running: ExecutionEnvironment,
):
    with pytest.raises(FunctionError):
        running.invoke(scheduled("fail"))

    request = outcome(running)["request_id"]
    messages = [line["message"] for line in lines(running) if "line" in line]
    assert "about to fail" in messages
    assert "LookupError: it went wrong: hunter2" in messages
    assert request
    assert {line["request_id"] for line in lines(running)[-3:]} == {request}


@pytest.mark.parametrize(
    ("what", "seconds", "exception"),
    [
        ("fail", 28, "builtins.LookupError"),
        ("sleep", 3, "apps.aws_lambda.deadline.DeadlineExceeded"),
    ],
)
def test_a_log_without_the_output_has_the_exception(
    server: SiteServer, what: str, seconds: float, exception: str
):
    running = environment(server, server.postgresql.port, "direct")
    running.variables["LOG_LEVEL"] = "WARNING"

    with running, pytest.raises(FunctionError, match="ScheduleFailed"):
        running.invoke(scheduled(what), seconds)

    assert not any("line" in line for line in lines(running))
    exceptions = [line["exception"] for line in lines(running) if "exception" in line]
    assert [error["type"] for error in exceptions] == [exception]
    assert "misbehave.py" in exceptions[0]["traceback"]


def test_a_command_that_exits_with_0_succeeded(running: ExecutionEnvironment):
    running.invoke(scheduled("exit-0"))

    assert outcome(running)["ScheduleSucceeded"] == 1


def test_an_argument_with_a_space_is_not_split(running: ExecutionEnvironment):
    with pytest.raises(FunctionError, match="exit code 1"):
        running.invoke(scheduled("two words"))

    assert "no attribute 'two words'" in running.log


def test_a_command_that_does_not_exist_failed(running: ExecutionEnvironment):
    with pytest.raises(FunctionError, match="absent failed with exit code 1"):
        running.invoke({"command": "absent"})

    assert "There is no command 'absent' in the apps of INSTALLED_APPS" in running.log


def test_a_run_that_exceeds_the_deadline_is_rolled_back(
    running: ExecutionEnvironment, server: SiteServer
):
    pid = running.pid
    with pytest.raises(FunctionError, match="exit code 124"):
        running.invoke(scheduled("sleep"), seconds=3)

    assert outcome(running)["message"].endswith("failed: deadline exceeded")
    assert server.ask("SELECT name FROM auth_group") == []
    # The query was cancelled, the lock is free, and the environment still works.
    running.invoke(scheduled("exit-0"))
    assert outcome(running)["ScheduleSucceeded"] == 1
    assert running.pid == pid


@pytest.mark.alone
def test_a_database_that_hangs_is_interrupted_by_the_deadline(
    server: SiteServer, hanging: Relay
):
    # Lambda would end it with Sandbox.Timedout.
    with (
        environment(server, hanging.port, "direct") as running,
        pytest.raises(FunctionError, match="exit code 124"),
    ):
        running.invoke(scheduled("sleep"), seconds=4)


@pytest.fixture
def short_idle_timeout(server: SiteServer, pgbouncer: PgBouncer) -> Iterator[None]:
    """End the role's transactions that are idle for half a second."""
    name = "idle_in_transaction_session_timeout"
    server.ask(f"ALTER ROLE {ROLE} SET {name} = '500ms'")
    server.terminate()
    yield
    server.ask(f"ALTER ROLE {ROLE} RESET {name}")
    server.terminate()


def test_a_second_run_is_skipped_for_as_long_as_the_first_takes(
    server: SiteServer, place: tuple[int, str], short_idle_timeout: None
):
    with (
        environment(server, *place) as one,
        environment(server, *place) as other,
        ThreadPoolExecutor() as pool,
    ):
        with psycopg.connect(server.postgresql.url(ROLE)) as holder:
            holder.execute("LOCK TABLE auth_group IN ACCESS EXCLUSIVE MODE")
            first = pool.submit(one.invoke, scheduled("wait"))
            blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            assert eventually(lambda: server.ask(blocked) == [(1,)])
            # Now the lock's connection is idle for longer than the role allows.
            server.ask("SELECT pg_sleep(1.5)")

            assert other.invoke(scheduled("wait")) is None

        assert first.result() is None
        skipped, succeeded = outcome(other), outcome(one)

        assert skipped["ScheduleSkipped"] == 1
        assert skipped["ScheduleFailed"] == 0
        assert skipped["level"] == "INFO"
        assert "was skipped: another run is in progress" in skipped["message"]
        assert succeeded["ScheduleSucceeded"] == 1
        # The first run released the lock.
        other.invoke(scheduled("wait"))
        assert outcome(other)["ScheduleSucceeded"] == 1


def test_a_killed_environment_releases_its_lock(
    server: SiteServer, place: tuple[int, str]
):
    with (
        psycopg.connect(server.postgresql.url(ROLE)) as holder,
        environment(server, *place) as killed,
        ThreadPoolExecutor() as pool,
    ):
        holder.execute("LOCK TABLE auth_group IN ACCESS EXCLUSIVE MODE")
        run = pool.submit(killed.invoke, scheduled("wait"))
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        assert eventually(lambda: server.ask(blocked) == [(1,)])
        os.kill(killed.pid, signal.SIGKILL)
        with pytest.raises(FunctionError, match="ExitError"):
            run.result()

    with environment(server, *place) as next_one:
        assert eventually(
            lambda: (
                next_one.invoke(scheduled("wait")) is None
                and outcome(next_one)["ScheduleSucceeded"] == 1
            )
        )


def test_the_command_lines_of_the_deployment_are_allowed(
    monkeypatch: pytest.MonkeyPatch,
):
    event = {"command": "send_report", "args": ["--to", "the whole team"]}
    with pytest.raises(UnsupportedEvent, match=r"custom\.schedules"):
        schedule.read(event)

    line = [event["command"], *event["args"]]
    monkeypatch.setenv("LAMBDA_SCHEDULES", json.dumps([line]))

    assert schedule.read(event) == line
    # Those of the setting still are.
    assert schedule.read({"command": "clearsessions"}) == ["clearsessions"]


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (
            {"detail-type": "Scheduled Event", "source": "aws.events", "detail": {}},
            "Give the target of the schedule a fixed input",
        ),
        ({}, "This event is of an unknown kind, and the schedule function serves"),
        (None, "Not a Lambda event: expected an object, got NoneType."),
        ("clearsessions", "Not a Lambda event: expected an object, got str."),
        ({"command": ["clearsessions"]}, 'such as {"command": "clearsessions", "args"'),
        (
            {"command": "clearsessions", "args": "--x"},
            "Its top-level keys: args, command.",
        ),
        ({"Records": [{"eventSource": "aws:sqs"}]}, "Send it to the tasks function."),
        ({"command": "flush", "args": ["--noinput"]}, "LAMBDA_SCHEDULED_COMMANDS"),
        ({"command": "clearsessions", "args": ["-v3"]}, "LAMBDA_SCHEDULED_COMMANDS"),
    ],
)
def test_any_other_event_is_refused(
    running: ExecutionEnvironment, event: Any, message: str
):
    with pytest.raises(FunctionError) as refused:
        running.invoke(event)

    assert refused.value.type == "UnsupportedEvent"
    assert message in refused.value.message
    assert lines(running)[-1]["level"] == "ERROR"
