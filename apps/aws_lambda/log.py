"""Log records that carry the request ID."""

import logging

from .context import request_id


class RequestIDFilter(logging.Filter):
    """
    Put the current request ID on each record, or "-" outside a request.

    A filter of a handler, not of a logger, because only a handler sees the
    records of all loggers.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = request_id.get() or "-"
        return True
