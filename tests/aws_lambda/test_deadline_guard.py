"""The alarm of the deadline guard, and what a request leaves of it."""

import json
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from apps.aws_lambda.deadline import DeadlineExceeded, _interrupt, guard
from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.invocation import invocation
from apps.aws_lambda.test import LambdaContext
from tests.events import load_event

Environ = dict[str, Any]

LONG = 60.0


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """Put back what each test finds."""
    before = signal.getsignal(signal.SIGALRM)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def armed() -> float:
    return signal.getitimer(signal.ITIMER_REAL)[0]


def test_the_alarm_is_set_for_the_time_that_is_left_but_for_the_margin():
    with guard(30_000, 5):
        assert 20 < armed() <= 25.001

    assert armed() == 0


def test_the_alarm_is_off_after_a_block_that_raised():
    with pytest.raises(ZeroDivisionError), guard(30_000):
        raise ZeroDivisionError

    assert armed() == 0


def test_a_margin_that_is_all_the_time_left_strikes_at_once():
    with pytest.raises(DeadlineExceeded), guard(100, 5):
        time.sleep(LONG)

    assert armed() == 0


def test_a_clean_up_that_hangs_is_interrupted_too():
    struck = []

    def hang() -> None:
        try:
            time.sleep(LONG)
        finally:
            struck.append(armed())
            time.sleep(LONG)

    with pytest.raises(DeadlineExceeded), guard(700, 0.6):
        hang()

    # After a quarter of the margin.
    assert 0 < struck[0] <= 0.15
    assert armed() == 0


@pytest.mark.parametrize("edge", ["__enter__", "__exit__"])
def test_no_strike_at_its_own_edge_leaves_the_alarm_on(edge: str):
    code = getattr(guard, edge).__code__
    struck = []

    def strike(frame: FrameType, event: str, argument: Any) -> None:
        if frame.f_code is code:
            struck.append(event)
            # As the interpreter does with the frame that it is in.
            _interrupt(signal.SIGALRM, frame)

    sys.settrace(strike)
    try:
        with guard(60_000, 59):
            pass
    finally:
        sys.settrace(None)

    assert struck == ["call"]
    assert armed() == 0


def test_without_a_remaining_time_the_alarm_is_left_alone():
    def mine(*args: Any) -> None:
        raise AssertionError

    signal.signal(signal.SIGALRM, mine)
    signal.setitimer(signal.ITIMER_REAL, LONG)

    with guard(None):
        assert signal.getsignal(signal.SIGALRM) is mine

    assert armed() > 0


def test_outside_the_main_thread_nothing_is_armed():
    seen: list[float] = []

    def work() -> None:
        with guard(30_000):
            seen.append(armed())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [0]


def test_an_application_that_takes_the_alarm_has_it_for_its_own_request_only():
    def application(environ: Environ, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/takes":
            signal.signal(signal.SIGALRM, signal.SIG_IGN)
        else:
            time.sleep(LONG)
        start_response("200 OK", [])
        return []

    handler = make_handler(application, deadline_margin=0.1)

    taken = handler(load_event("http_default", rawPath="/takes"), LambdaContext())
    slow = handler(load_event("http_default"), LambdaContext(timeout=0.3))

    assert (taken["statusCode"], slow["statusCode"]) == (200, 504)
    assert json.loads(slow["body"])["error"] == "deadline_exceeded"
    assert armed() == 0


def test_a_request_is_the_current_invocation_until_it_ends():
    seen: list[Any] = []

    def application(environ: Environ, start_response: Any) -> list[bytes]:
        seen.append(invocation.get())
        start_response("200 OK", [])
        return []

    context, before = LambdaContext(), invocation.get()
    make_handler(application)(load_event("http_default"), context)

    assert (seen[0].context, seen[0].number) == (context, 1)
    assert invocation.get() is before
