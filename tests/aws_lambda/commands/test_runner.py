"""How a run of a command ends."""

import asyncio
import contextlib
import signal
import time
from contextvars import copy_context
from typing import Any, NoReturn

import pytest
from asgiref.sync import async_to_sync
from django.db import InterfaceError

from apps.aws_lambda.commands import runner
from apps.aws_lambda.commands.output import Output
from apps.aws_lambda.commands.runner import CommandResult, Outcome
from apps.aws_lambda.database.advisory_lock import LockHeld
from apps.aws_lambda.deadline import DeadlineExceeded
from apps.aws_lambda.invocation import Invocation, activate
from apps.aws_lambda.test import LambdaContext


@pytest.fixture(autouse=True)
def _connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the connections of other tests open."""
    monkeypatch.setattr(runner, "discard_interrupted_connections", lambda: None)


def run_raising(
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    context: BaseException | None = None,
) -> tuple[CommandResult, str]:
    """Run a command that raises an error, while it handles another one if given."""

    def interrupt() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.001)
        time.sleep(60)

    def execute(*args: Any) -> NoReturn:
        if context is None:
            raise error
        try:
            if isinstance(context, DeadlineExceeded):
                interrupt()
            raise context
        except BaseException:
            raise error  # noqa: B904

    monkeypatch.setattr(runner, "execute", execute)
    output = Output()
    result = run_in_invocation(output, timeout=60)
    return result, output.result()["output"]


def run_in_invocation(output: Output, timeout: float) -> runner.CommandResult:
    def run() -> runner.CommandResult:
        activate(Invocation({}, LambdaContext(timeout=timeout), 1))
        return runner.run(["migrate"], output)

    return copy_context().run(run)


@pytest.mark.parametrize("error", [SystemExit(1), InterfaceError("closed"), EOFError()])
def test_an_error_while_the_interrupt_is_handled_is_an_exceeded_deadline(
    monkeypatch: pytest.MonkeyPatch, error: BaseException
):
    result, output = run_raising(monkeypatch, error, context=DeadlineExceeded())

    assert result == (Outcome.FAILED, 124, "failed: deadline exceeded")
    assert "Deadline exceeded in migrate: the function's timeout was near" in output
    assert "Traceback (most recent call last)" in output


@pytest.mark.parametrize(
    ("error", "exit_code", "text"),
    [
        (SystemExit("not today"), 1, "not today"),
        (SystemExit(7), 7, ""),
        (KeyboardInterrupt(), 1, "KeyboardInterrupt"),
        (EOFError(), 1, "Pass --noinput"),
    ],
)
def test_any_exception_is_a_failure_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, exit_code: int, text: str
):
    result, output = run_raising(monkeypatch, error)

    assert result == (
        Outcome.FAILED,
        exit_code,
        f"failed with exit code {exit_code}",
    )
    assert text in output


def test_an_error_in_another_handler_is_not_an_exceeded_deadline(
    monkeypatch: pytest.MonkeyPatch,
):
    result, _ = run_raising(monkeypatch, LookupError(), context=ValueError())

    assert result.exit_code == 1


def test_a_held_lock_skips_the_run(monkeypatch: pytest.MonkeyPatch):
    result, output = run_raising(monkeypatch, LockHeld("Another run of migrate."))

    assert result == (Outcome.SKIPPED, 75, "was skipped: another run is in progress")
    assert output == "Another run of migrate. This run did nothing."


def test_an_error_long_after_the_interrupt_is_an_exceeded_deadline(
    monkeypatch: pytest.MonkeyPatch,
):
    def execute(*args: Any) -> NoReturn:
        with contextlib.suppress(KeyboardInterrupt):
            time.sleep(60)
        raise SystemExit(1)

    monkeypatch.setattr(runner, "execute", execute)

    result = run_in_invocation(Output(), timeout=0.6)

    assert result.exit_code == 124


@pytest.mark.parametrize(("caught", "exit_code"), [((), 124), (KeyboardInterrupt, 0)])
def test_the_deadline_cancels_a_coroutine_of_a_command(
    monkeypatch: pytest.MonkeyPatch, caught: Any, exit_code: int
):
    seen = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    def execute(*args: Any) -> int:
        with contextlib.suppress(caught):
            async_to_sync(slow)()
        return 0

    monkeypatch.setattr(runner, "execute", execute)

    result = run_in_invocation(Output(), timeout=0.6)

    assert result.exit_code == exit_code
    assert seen == ["cancelled"]
