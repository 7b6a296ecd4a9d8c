"""
The log of the functions, for a person at a terminal.

A record is a line of JSON (observability/formatters.py). It is printed as a line of
text, and its traceback below with line breaks. A line that is not a record, such as
that of a `print`, is printed as it is.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from ...observability.formatters import escaped

# The start of a record, which may follow a print without a newline.
RECORD = '{"timestamp": '
ACCESS = f"{__package__.partition('.cli')[0]}.access"
# What a line of text has in other places, or is the same in each record.
PLACED = {
    *("timestamp", "level", "logger", "message", "request_id"),
    *("function_name", "function_version", "trace_id", "cold_start"),
    *("exception", "stack", "_aws", "FunctionName"),
}
# They are the message of an access line.
OF_ACCESS = {"method", "route", "status"}

# serverless-offline announces a request with two empty lines and this one.
ANNOUNCED = re.compile(r"[A-Z]+ /.* \(λ: .+\)")
# And ends it with this one, whose request ID is not that of the records.
ENDED = re.compile(r"\(λ: .+\) RequestId: \S+  Duration: .* ms  Billed Duration: .* ms")

DIM, CYAN, YELLOW, RED, BOLD_RED = "2", "36", "33", "31", "1;31"
COLOURS = {"TRACE": DIM, "DEBUG": DIM, "WARN": YELLOW, "ERROR": RED, "FATAL": BOLD_RED}
INDENT = "    "


class LogPrinter:
    """
    Print a log that arrives in parts.

    ``stage`` is in the names of the functions, which are shown without it. Times are
    those of this machine, or UTC as in CloudWatch. Colours are for a terminal only,
    and not with NO_COLOR (https://no-color.org/).
    """

    def __init__(self, stream: TextIO, *, stage: str, utc: bool = False) -> None:
        self.stream = stream
        self.stage = stage
        self.utc = utc
        self.colours = stream.isatty() and not os.environ.get("NO_COLOR")
        self._rest = ""
        self._empty = 0

    def write(self, part: str) -> None:
        """Print the lines of a part; keep the last one until its end arrives."""
        *lines, self._rest = (self._rest + part).split("\n")
        for line in lines:
            self._print(line)
        self.stream.flush()

    def close(self) -> None:
        """Print the last line, which may have no end."""
        if self._rest:
            self.write("\n")

    def _print(self, line: str) -> None:
        if ENDED.fullmatch(line):
            return
        if not line:
            # Known to be serverless-offline's when the next line has arrived.
            self._empty += 1
            return
        announced = ANNOUNCED.fullmatch(line)
        self.stream.write(
            "\n" * (max(self._empty - 2, 0) if announced else self._empty)
        )
        self._empty = 0
        if announced:
            line = self._in(DIM, line)
        elif RECORD in line:
            line = "\n".join(self._lines(line))
        self.stream.write(f"{line}\n")

    def _lines(self, line: str) -> Iterator[str]:
        """Yield a record as lines of text, after what is printed before it."""
        at = line.index(RECORD)
        entry = read(line[at:])
        if entry is None:
            yield line
            return
        if at:
            yield line[:at]
        level = str(entry["level"])
        message, *more = readable(entry["message"]) or [""]
        words = [
            self._in(DIM, self._time(entry["timestamp"])),
            self._in(COLOURS.get(level, ""), f"{level:5}"),
            self._in(CYAN, self._function(entry)),
            self._in(DIM, str(entry["logger"])),
            self._in(COLOURS.get(level, ""), message),
            self._in(DIM, " ".join(fields(entry))),
            self._in(DIM, str(entry.get("request_id", ""))),
        ]
        yield " ".join(word for word in words if word)
        exception = entry.get("exception")
        traceback = exception.get("traceback") if isinstance(exception, dict) else ""
        for text in more + readable(entry.get("stack")):
            yield f"{INDENT}{text}".rstrip()
        for text in readable(traceback):
            yield self._in(RED, f"{INDENT}{text}".rstrip())

    def _time(self, timestamp: str) -> str:
        time = datetime.fromisoformat(timestamp)
        if self.utc:
            return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"
        return time.astimezone().time().isoformat(timespec="milliseconds")

    def _function(self, entry: Mapping[str, Any]) -> str:
        name = str(entry.get("function_name", ""))
        return name.partition(f"-{self.stage}-")[2] or name

    def _in(self, colour: str, text: str) -> str:
        return (
            f"\x1b[{colour}m{text}\x1b[0m" if self.colours and colour and text else text
        )


def read(line: str) -> dict[str, Any] | None:
    """Return a record, or None if the line is something else."""
    try:
        entry = json.loads(line)
        datetime.fromisoformat(entry["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    known = isinstance(entry, dict) and {"level", "logger", "message"} <= entry.keys()
    return entry if known else None


def readable(text: object) -> list[str]:
    """
    Return the lines of a text, with other control characters escaped.

    A client may have sent them, to change what the terminal shows.
    """
    lines = str(text).replace("\t", INDENT).split("\n") if text else []
    return [escaped(line) for line in lines]


def fields(entry: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a log call added to its record, without the metrics."""
    metrics = {
        metric["Name"]
        for directive in entry.get("_aws", {}).get("CloudWatchMetrics", ())
        for metric in directive["Metrics"]
    }
    hidden = PLACED | metrics | (OF_ACCESS if entry["logger"] == ACCESS else set())
    if entry.get("cold_start"):
        yield "cold start"
    for name, value in entry.items():
        if name not in hidden:
            shown = value if isinstance(value, str) else json.dumps(value)
            yield f"{name}={' '.join(readable(shown))}"
