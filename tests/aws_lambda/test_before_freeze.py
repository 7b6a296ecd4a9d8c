"""The signal before_freeze: sent between a result and the freeze."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from apps.aws_lambda import lifecycle
from apps.aws_lambda.handlers import lambda_handler
from apps.aws_lambda.test import LambdaContext


class Context(LambdaContext):
    def __init__(self, remaining: int) -> None:
        super().__init__()
        self.remaining = remaining

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining


@contextmanager
def connected(receiver: Callable[..., Any]) -> Iterator[None]:
    lifecycle.before_freeze.connect(receiver)
    try:
        yield
    finally:
        lifecycle.before_freeze.disconnect(receiver)


@pytest.mark.parametrize(
    ("context", "seconds"),
    [
        *((Context(20_000), 2.0), (Context(600), 0.5), (Context(50), 0.0)),
        (None, 2.0),
    ],
)
def test_a_receiver_gets_its_time_limit(context: Any, seconds: float):
    given: list[float] = []

    def receiver(seconds: float, **kwargs: Any) -> None:
        given.append(seconds)

    with connected(receiver):
        assert lambda_handler(lambda invocation: "result")({}, context)

    assert given == [pytest.approx(seconds)]


@pytest.mark.parametrize("raised", [RuntimeError("no network"), SystemExit(1)])
def test_a_receiver_that_raises_is_logged(
    raised: BaseException, caplog: pytest.LogCaptureFixture
):
    def receiver(**kwargs: Any) -> None:
        raise raised

    with connected(receiver):
        result = lambda_handler(lambda invocation: "result")({}, None)

    assert result == "result"
    [record] = [r for r in caplog.records if r.levelname == "ERROR"]
    assert record.exc_info
    assert record.exc_info[1] is raised


def test_the_signal_is_sent_after_a_failed_invocation():
    sent: list[bool] = []

    def receiver(**kwargs: Any) -> None:
        sent.append(True)

    def fail(invocation: Any) -> None:
        raise LookupError

    with connected(receiver), pytest.raises(LookupError):
        lambda_handler(fail)({}, None)

    assert sent == [True]
