"""
Where the log goes: standard output, or the telemetry descriptor that Lambda opened.

https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

import json
import logging
import os
import sys
import time
import traceback
from typing import Any, Protocol

from .errors import LINE_END, Description, json_line, text_lines

# A frame on the telemetry descriptor begins with four bytes: these for text, one less
# for JSON, and four more for each level from DEBUG on, eight for the first.
TEXT_FRAME = 0xA55A0003
JSON_FRAME = 0xA55A0002
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

# What a LogRecord has of its own, or the filter below gives it.
RESERVED = {*vars(logging.makeLogRecord({})), "aws_request_id", "tenant_id"}


class Current:
    """The invocation that runs, for the fields of log records."""

    request_id: str | None = None
    tenant_id: str | None = None


current = Current()


class LogSink(Protocol):
    """Where messages go. ``level`` is of the levels of logging, or 0."""

    def log(self, message: str, level: int | None = None, text: bool = True) -> None:
        """Write a message."""

    def log_error(self, described: Description) -> None:
        """Write the error of a function."""


def is_json() -> bool:
    """Return whether the function's log format is JSON."""
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


class StandardLogSink:
    """Standard output, which Lambda splits into lines."""

    def __init__(self) -> None:
        self.json = is_json()

    def log(self, message: str, level: int | None = None, text: bool = True) -> None:
        sys.stdout.write(message)

    def log_error(self, described: Description) -> None:
        if self.json:
            sys.stdout.write(json_line(described) + "\n")
        else:
            sys.stdout.write(LINE_END.join(text_lines(described)) + "\n")


class FramedLogSink:
    """
    The telemetry descriptor: a message is one event, with all of its lines.

    A frame is its type and the length of the message, four bytes each; the time in
    microseconds, eight bytes; and the message, all big-endian.
    """

    def __init__(self, descriptor: int) -> None:
        self.json = is_json()
        self.file = os.fdopen(descriptor, "wb", 0)

    def log(self, message: str, level: int | None = None, text: bool = True) -> None:
        encoded = message.encode(errors="backslashreplace")
        kind = TEXT_FRAME if text else JSON_FRAME
        if level:
            # DEBUG is 8 above, and each further level 4.
            kind += 4 + 4 * (level // 10)
        self.file.write(
            kind.to_bytes(4)
            + len(encoded).to_bytes(4)
            + (time.time_ns() // 1000).to_bytes(8)
            + encoded
        )

    def log_error(self, described: Description) -> None:
        lines = [json_line(described)] if self.json else text_lines(described)
        self.log("\n".join(lines), logging.ERROR, not self.json)


def open_log_sink() -> LogSink:
    """Return the sink that Lambda has prepared."""
    # Removed, so that a child process does not write frames.
    descriptor = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", None)
    return StandardLogSink() if descriptor is None else FramedLogSink(int(descriptor))


class LogSinkHandler(logging.Handler):
    """The handler of the root logger. ``context.log`` looks for its ``log_sink``."""

    def __init__(self, log_sink: LogSink, *, leveled: bool) -> None:
        super().__init__()
        self.log_sink = log_sink
        self.leveled = leveled
        self.text = not is_json()

    def emit(self, record: logging.LogRecord) -> None:
        level = rounded(record.levelno) if self.leveled else None
        self.log_sink.log(self.format(record), level, self.text)


def rounded(level: int) -> int:
    """Return the level of logging's own that this one counts as."""
    return min(50, max(0, level)) // 10 * 10


def add_invocation(record: logging.LogRecord) -> bool:
    """Give a record the request ID and the tenant ID. A filter that passes all."""
    record.aws_request_id = current.request_id or ""
    record.tenant_id = current.tenant_id
    return True


class JSONLineFormatter(logging.Formatter):
    """A record as an object of JSON, with the names of Lambda's fields."""

    def format(self, record: logging.LogRecord) -> str:
        plain = isinstance(record.msg, dict) and not record.args
        fields: dict[str, Any] = {
            "timestamp": self.formatTime(record, TIME_FORMAT),
            "level": logging.getLevelName(rounded(record.levelno)),
            "message": record.msg if plain else record.getMessage(),
            "logger": record.name,
        }
        if record.exc_info:
            kind, error, trace = record.exc_info
            fields |= {
                "stackTrace": traceback.format_tb(trace),
                "errorType": kind.__name__ if kind else None,
                "errorMessage": str(error),
            }
        values = vars(record)
        fields["requestId"] = values.get("aws_request_id")
        if record.exc_info:
            place = f"{record.pathname}:{record.funcName}:{record.lineno}"
            fields["location"] = place
        fields["tenantId"] = values.get("tenant_id")
        for name, value in values.items():
            if name not in RESERVED:
                fields.setdefault(name, value)
        known = {name: value for name, value in fields.items() if value is not None}
        return json.dumps(known, ensure_ascii=False, default=str) + "\n"


def set_up_logging(log_sink: LogSink) -> None:
    """Configure the root logger by the function's log format and log level."""
    logging.Formatter.converter = time.gmtime
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    handler = LogSinkHandler(log_sink, leveled=is_json() or bool(level))
    handler.setFormatter(
        JSONLineFormatter()
        if is_json()
        else logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S",
        )
    )
    handler.addFilter(add_invocation)
    root = logging.getLogger()
    if level in logging.getLevelNamesMapping():
        root.setLevel(level)
    root.addHandler(handler)


class Unbuffered:
    """A stream that is flushed after each write: Lambda may freeze the process."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        # Each line of a log asks for it.
        self.flush = stream.flush

    def write(self, text: str) -> None:
        self.stream.write(text)
        self.flush()

    def writelines(self, lines: Any) -> None:
        self.stream.writelines(lines)
        self.flush()

    def __enter__(self) -> "Unbuffered":
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def unbuffer_streams() -> None:
    """Flush standard output and standard error after each write."""
    sys.stdout = Unbuffered(sys.stdout)
    sys.stderr = Unbuffered(sys.stderr)
