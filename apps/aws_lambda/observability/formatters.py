"""
Log lines: a JSON object each on Lambda, text for people elsewhere.

CloudWatch finds fields by name in a line that is JSON. Nothing that a client sends
can start a line of its own, because JSON has no line breaks in it.
"""

import json
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from time import gmtime, strftime
from typing import Any

from ..invocation import invocation, request_id, task_id
from . import metrics

# What a LogRecord has of its own; anything else was given as ``extra``.
STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
# Those that are not written as they are. Django's own loggers add the request, which
# JSON cannot hold.
NOT_FIELDS = STANDARD | {"metrics", "request"}

# What ends a line or moves a terminal's cursor, with what is written instead.
CONTROL = {
    number: repr(chr(number))[1:-1]
    for number in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)
}
# Line breaks to some readers, and not to JSON.
BREAKS = {number: f"\\u{number:04x}" for number in (0x85, 0x2028, 0x2029)}

# One encoder: json.dumps would make one for each line. What a line has is a tree.
encode = json.JSONEncoder(ensure_ascii=False, check_circular=False).encode

# The name of a secret has one of these words in it, or two words joined by any sign or
# none (x-api-key, apiKey), or ends in a short word of its own (db_pass, dbPass). As one
# regular expression they took a hundredth of the init phase to compile.
WORDS = (
    *("authorization", "bearer", "cookie", "credential", "csrf", "jwt", "passphrase"),
    *("passw", "pwd", "secret", "signature", "token"),
)
KEYS = (
    *("access", "account", "api", "encryption", "kms", "licence", "license", "master"),
    *("private", "session", "shared", "signing", "ssh"),
)
URLS = (
    *("amqp", "broker", "cache", "connection", "database", "db", "mail", "mongo"),
    *("mysql", "postgres", "postgresql", "redis", "smtp"),
)
PAIRS = (
    *(f"{word}key" for word in KEYS),
    *(f"{word}ur{end}" for word in URLS for end in "il"),
    *("sessionid", "connectionstring"),
)
LAST_WORDS = ("auth", "dsn", "otp", "pass")
REDACTED = "[redacted]"
# A longer text is cut in the middle: CloudWatch takes 1 MB a line.
TEXT_LIMIT = 50_000
# Also ends reference cycles.
DEPTH_LIMIT = 10
# Of a field, in all its containers together: a few cycles have millions.
VALUE_LIMIT = 1000
# Of an ID, which each line has.
ID_LIMIT = 200


class JSONFormatter(logging.Formatter):
    """
    Format a record as JSON; its ``metrics`` become CloudWatch metrics.

    In LOGGING: ``{"()": "...JSONFormatter", "metrics_namespace": "Shop"}``. Each value
    of each of ``metrics_dimensions`` is a metric of its own on the bill.
    """

    def __init__(
        self,
        *,
        metrics_namespace: str = "DjangoOnLambda",
        metrics_dimensions: Sequence[str] = ("route", "task", "command"),
    ) -> None:
        super().__init__()
        self.metrics_namespace = metrics_namespace
        self.metrics_dimensions = metrics_dimensions
        self.function = {
            field: os.environ[variable]
            for field, variable in FUNCTION.items()
            if os.environ.get(variable)
        }

    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, Any] = {
            "timestamp": timestamp(record.created),
            "level": level(record.levelno),
            "logger": text(record.name),
            "message": message(record),
        }
        add_current(entry, self.function)
        given = vars(record)
        for key, name, is_secret in fields(tuple(given)):
            if name not in entry:
                entry[name] = REDACTED if is_secret else plain(given[key], "", 1)
        if record.exc_info and record.exc_info[0]:
            entry["exception"] = self.describe(record)
        if record.stack_info:
            entry["stack"] = text(record.stack_info)
        directive = ""
        if measured := given.get("metrics"):
            directive, values, refused = metrics.embed(
                measured,
                record.created,
                entry,
                namespace=self.metrics_namespace,
                dimensions=self.metrics_dimensions,
            )
            entry |= values
            if refused:
                entry["refused_metrics"] = [text(name)[:255] for name in refused]
            if directive:
                # It may have been given as ``extra``.
                entry.pop("_aws", None)
        line = encode(entry)
        if directive:
            line = f'{line[:-1]}, "_aws": {directive}}}'
        return line if line.isascii() else line.translate(BREAKS)

    def describe(self, record: logging.LogRecord) -> dict[str, str]:
        kind, error, _ = record.exc_info or (None, None, None)
        return {
            "type": text(f"{kind.__module__}.{kind.__qualname__}") if kind else "",
            "message": text(error),
            "traceback": text(self.formatException(record.exc_info))
            if record.exc_info
            else "",
        }


class LineFormatter(logging.Formatter):
    """Format a record as text: one line, then the traceback if there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        record.message = escaped(record.message)
        record.request_id = escaped(request_id.get()[:ID_LIMIT]) or "-"
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        # The traceback may have half of a surrogate pair.
        return super().format(record).encode("utf-8", "backslashreplace").decode()


def escaped(value: str) -> str:
    return value.translate(CONTROL)


@lru_cache(maxsize=256)
def level(number: int) -> str:
    """
    Return Lambda's name of a record's level.

    Lambda drops a line below the function's log level, and takes a level that it does
    not know, such as CRITICAL or one of the project's own, for INFO.
    https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
    """
    return next((name for least, name in LEVELS if number >= least), "TRACE")


LEVELS = (
    (logging.CRITICAL, "FATAL"),
    (logging.ERROR, "ERROR"),
    (logging.WARNING, "WARN"),
    (logging.INFO, "INFO"),
    (logging.DEBUG, "DEBUG"),
)


# The records of one kind have the same.
@lru_cache(maxsize=256)
def fields(attributes: tuple[Any, ...]) -> list[tuple[Any, str, bool]]:
    """Return which attributes of a record are fields: each, its name, if secret."""
    return [
        (key, name := text(key), names_secret(name))
        for key in attributes
        if key not in NOT_FIELDS
    ]


def timestamp(seconds: float) -> str:
    """Return a time, in seconds since 1970, in ISO 8601 to the millisecond, in UTC."""
    whole, _, milliseconds = f"{seconds:.3f}".partition(".")
    return f"{_second(whole)}.{milliseconds}+00:00"


# A request has several lines in a second.
@lru_cache(maxsize=1)
def _second(seconds: str) -> str:
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(int(seconds)))


# The same for all lines of an execution environment.
FUNCTION = {
    "function_name": "AWS_LAMBDA_FUNCTION_NAME",
    "function_version": "AWS_LAMBDA_FUNCTION_VERSION",
}


def add_current(entry: dict[str, Any], function: Mapping[str, str]) -> None:
    """Add the fields of the current request, task, function and trace."""
    if identifier := request_id.get():
        entry["request_id"] = text(identifier[:ID_LIMIT])
    if identifier := task_id.get():
        entry["task_id"] = text(identifier[:ID_LIMIT])
    entry |= function
    if now := invocation.get():
        if identifier := now.trace_id:
            entry["trace_id"] = text(identifier[:ID_LIMIT])
        entry["cold_start"] = now.cold_start


def message(record: logging.LogRecord) -> str:
    """Return the message, or its parts if the arguments do not fit the format."""
    try:
        return text(record.getMessage())
    except Exception:
        return f"{text(record.msg)} {json.dumps(plain(record.args))}"


# What a line can hold.
#
# A line that cannot be written is lost when it is needed most. So nothing here
# raises, for any value, and a value whose key names a secret is redacted.


def plain(
    value: Any, key: str = "", depth: int = 0, left: Iterator[int] | None = None
) -> Any:
    """
    Return the value as JSON can hold it; redact what has a secret's key.

    ``left`` has one item for each value that the field may still have.
    """
    if key and (known_secret if len(key) < 100 else names_secret)(key):
        return REDACTED
    kind = type(value)
    if kind is str:
        return text(value)
    if value is None or kind is bool:
        return value
    if isinstance(value, int):
        # Python refuses to write one of thousands of digits.
        return value if value.bit_length() <= 64 else hex(value)[:100]
    if isinstance(value, float):
        # JSON has no NaN and no infinity, and CloudWatch reads no line with one.
        return value if math.isfinite(value) else str(value)
    try:
        if left is None or depth == 1:
            left = iter(range(VALUE_LIMIT))
        if isinstance(value, Mapping) and depth < DEPTH_LIMIT:
            entries = {
                (name := text(k)): plain(v, name, depth + 1, left)
                for (k, v), _ in zip([*value.items()], left, strict=False)
            }
            return entries if len(entries) == len(value) else entries | {"...": "..."}
        if isinstance(value, list | tuple) and depth < DEPTH_LIMIT:
            items = [
                plain(v, "", depth + 1, left) for v, _ in zip(value, left, strict=False)
            ]
            return items if len(items) == len(value) else [*items, "..."]
    except Exception:
        return unreadable(value)
    if isinstance(value, Mapping | list | tuple):
        # Its text would show what would be redacted.
        return "..."
    return text(value)


def names_secret(name: str) -> bool:
    """Return whether a name is that of a secret."""
    lower = name.casefold()
    joined = "".join(filter(str.isalnum, lower))
    return (
        any(word in lower for word in WORDS)
        or any(pair in joined for pair in PAIRS)
        or any(is_last_word(word, name) for word in LAST_WORDS)
    )


def is_last_word(word: str, name: str) -> bool:
    before, last = name[: -len(word)], name[-len(word) :]
    return last.casefold() == word and (not before[-1:].isalnum() or last[0].isupper())


# Most lines have the same few keys.
known_secret = lru_cache(maxsize=1000)(names_secret)


def text(value: Any) -> str:
    """Return the value as text that UTF-8 can encode, shortened if need be."""
    # Most are.
    if type(value) is str and len(value) <= TEXT_LIMIT and value.isascii():
        return value
    try:
        # A str of another class may have methods that raise, too.
        whole = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:
        return unreadable(value)
    if len(whole) > TEXT_LIMIT:
        half = TEXT_LIMIT // 2
        whole = f"{whole[:half]}\n...\n{whole[-half:]}"
    # Half of a surrogate pair, which Python makes of a byte that it cannot decode.
    return whole.encode("utf-8", "backslashreplace").decode()


def unreadable(value: Any) -> str:
    return f"[unreadable {type(value).__qualname__}]"
