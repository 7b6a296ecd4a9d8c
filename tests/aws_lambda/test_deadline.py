"""The deadline guard and its timer."""

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from apps.aws_lambda.deadline import DeadlineExceeded, _interrupt, guard
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.invocation import invocation
from apps.aws_lambda.test import LambdaContext
from tests.events import accepting, load_event

Environ = dict[str, Any]

LONG = 60.0


@pytest.fixture(autouse=True)
def _restored_timer() -> Iterator[None]:
    """Stop the timer, and restore the signal handler."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def timer_seconds() -> float:
    """Return the seconds until the next interrupt, 0 without one."""
    return signal.getitimer(signal.ITIMER_REAL)[0]


def test_the_timer_is_the_remaining_time_minus_the_margin():
    with guard(30_000, 5):
        assert 20 < timer_seconds() <= 25.001

    assert timer_seconds() == 0


def test_the_timer_is_off_after_an_exception():
    with pytest.raises(ZeroDivisionError), guard(30_000):
        raise ZeroDivisionError

    assert timer_seconds() == 0


def test_a_margin_over_the_remaining_time_interrupts_immediately():
    with pytest.raises(DeadlineExceeded), guard(100, 5):
        time.sleep(LONG)

    assert timer_seconds() == 0


def test_a_hanging_cleanup_is_interrupted():
    remaining = []

    def hang() -> None:
        try:
            time.sleep(LONG)
        finally:
            remaining.append(timer_seconds())
            time.sleep(LONG)

    with pytest.raises(DeadlineExceeded), guard(700, 0.6):
        hang()

    # The next interrupt is a quarter of the margin later.
    assert 0 < remaining[0] <= 0.15
    assert timer_seconds() == 0


@pytest.mark.parametrize("method", ["__enter__", "__exit__"])
def test_an_interrupt_in_the_guard_leaves_the_timer_off(method: str):
    code = getattr(guard, method).__code__
    interrupted = []

    def interrupt(frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code is code:
            interrupted.append(event)
            # As the interpreter calls a signal handler, with the current frame.
            _interrupt(signal.SIGALRM, frame)

    sys.settrace(interrupt)
    try:
        with guard(60_000, 59):
            pass
    finally:
        sys.settrace(None)

    assert interrupted == ["call"]
    assert timer_seconds() == 0


def test_code_that_catches_every_interrupt_is_reported_once(caplog):
    interrupts: list[BaseException] = []
    with guard(100, 0.1), suppress(DeadlineExceeded):
        while len(interrupts) < 6:
            try:
                time.sleep(LONG)
            except BaseException as error:
                interrupts.append(error)

    [line] = caplog.records
    assert line.levelname == "CRITICAL"
    assert "does not end at the deadline" in line.message
    assert "test_code_that_catches" in line.stack_info


def test_without_a_remaining_time_the_timer_is_unchanged():
    def other_handler(*args: Any) -> None:
        raise AssertionError

    signal.signal(signal.SIGALRM, other_handler)
    signal.setitimer(signal.ITIMER_REAL, LONG)

    with guard(None):
        assert signal.getsignal(signal.SIGALRM) is other_handler

    assert timer_seconds() > 0


def test_outside_the_main_thread_no_timer_is_set():
    seen: list[float] = []

    def work() -> None:
        with guard(30_000):
            seen.append(timer_seconds())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [0]


def test_a_replaced_signal_handler_lasts_one_request():
    def application(environ: Environ, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/replace":
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        else:
            time.sleep(LONG)
        start_response("200 OK", [])
        return []

    handler = make_handler(application, deadline_margin=0.1)

    replaced = handler(load_event("http_default", rawPath="/replace"), LambdaContext())
    event = accepting(load_event("http_default"), "application/json")
    slow = handler(event, LambdaContext(timeout=0.3))

    assert (replaced["statusCode"], slow["statusCode"]) == (200, 504)
    assert json.loads(slow["body"])["error"] == "deadline_exceeded"
    assert timer_seconds() == 0


def test_a_coroutine_is_cancelled_if_its_view_catches_the_interrupt():
    cancelled = []

    async def sleep() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        with suppress(KeyboardInterrupt):
            async_to_sync(sleep)()
        start_response("200 OK", [])
        return []

    handler = make_handler(application, deadline_margin=0.2)
    answer = handler(load_event("http_default"), LambdaContext(timeout=0.4))

    assert answer["statusCode"] == 200
    assert cancelled == [True]


def test_a_request_is_the_current_invocation():
    seen: list[Any] = []

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        seen.append(invocation.get())
        start_response("200 OK", [])
        return []

    context, before = LambdaContext(), invocation.get()
    make_handler(application)(load_event("http_default"), context)

    assert (seen[0].context, seen[0].number) == (context, 1)
    assert invocation.get() is before
