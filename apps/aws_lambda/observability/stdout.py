"""The handler that writes log lines on standard output."""

import logging
import sys
from threading import local
from typing import Any
from weakref import ref

# The record that was written last, by thread.
_last = local()


class StdoutHandler(logging.StreamHandler[Any]):
    """
    Write a record on standard output, at most once.

    A logger's own handler and the root's both get a record. The first whose level and
    filters accept it writes it, so that a line and its metrics are never counted
    twice.
    """

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        last = getattr(_last, "record", None)
        if last and last() is record:
            return
        # Not an attribute of the record, which another formatter would print.
        _last.record = ref(record)
        super().emit(record)
