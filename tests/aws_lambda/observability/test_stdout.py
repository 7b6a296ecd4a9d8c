"""The handler that writes a record on standard output, at most once."""

import gc
import logging
from weakref import ref

import pytest

from apps.aws_lambda.observability.stdout import StdoutHandler


def record(message: str) -> logging.LogRecord:
    return logging.makeLogRecord({"msg": message, "levelno": logging.INFO})


def test_a_record_is_written_once(capsys: pytest.CaptureFixture[str]):
    handlers = [StdoutHandler(), StdoutHandler()]
    for message in ("first", "second"):
        same = record(message)
        for handler in handlers:
            handler.handle(same)

    assert capsys.readouterr().out == "first\nsecond\n"


def test_the_handler_that_accepts_a_record_writes_it(
    capsys: pytest.CaptureFixture[str],
):
    handlers = [StdoutHandler(), StdoutHandler()]
    handlers[0].addFilter(lambda record: False)
    same = record("accepted")

    for handler in handlers:
        handler.handle(same)

    assert capsys.readouterr().out == "accepted\n"


def test_a_record_and_its_traceback_are_not_kept():
    written = record("large")
    kept = ref(written)
    StdoutHandler().handle(written)

    del written
    gc.collect()

    assert kept() is None
