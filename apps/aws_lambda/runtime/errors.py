"""
The errors of a function: as Lambda receives them, as X-Ray does, as the log has them.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html#runtimes-api-invokeerror
"""

import os
import time
import traceback
from typing import Any

from .marshal import to_json

HERE = os.path.dirname(__file__) + os.sep

# How the text of an error stays one event in CloudWatch: its lines end with a carriage
# return, and are indented with no-break spaces.
LINE_END = "\r"
INDENT = "\N{NO-BREAK SPACE}"

# A longer header than this is not sent.
MAX_CAUSE_BYTES = 1024 * 1024


class RuntimeFault(Exception):
    """A failure of the function that has a name of Lambda's: ``kind``, "Runtime.*"."""

    def __init__(self, kind: str, message: str, stack: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.stack = stack or []


Description = dict[str, Any]
# File, line, name, source.
Frame = tuple[str, int, str, str | None]


def describe(error: BaseException, request_id: str = "") -> Description:
    """Return the error as an object of JSON, in the form of Lambda."""
    if isinstance(error, RuntimeFault):
        kind, stack = error.kind, error.stack
    else:
        kind, stack = type(error).__name__, traceback.format_list(frames(error))
    return {
        "errorMessage": readable(message(error)),
        "errorType": readable(kind),
        "requestId": request_id,
        "stackTrace": [readable(entry) for entry in stack],
    }


def cause(error: BaseException) -> str:
    """Return the error as the JSON that X-Ray takes, or "" if it is too long."""
    if isinstance(error, RuntimeFault):
        kind, stack = "LambdaValidationError", []
    else:
        kind, stack = type(error).__name__, frames(error)
    document = {
        "working_directory": os.getcwd(),
        "exceptions": [
            {
                "message": readable(message(error)),
                "type": readable(kind),
                "stack": [
                    {"label": name, "path": file, "line": line}
                    for file, line, name, _ in stack
                ],
            }
        ],
        "paths": list(dict.fromkeys(file for file, *_ in stack)),
    }
    text = to_json(document)
    return text.decode() if len(text) < MAX_CAUSE_BYTES else ""


def frames(error: BaseException) -> list[Frame]:
    """Return the frames of its traceback, without those of this package that called."""
    found: list[Frame] = [
        (f.filename, f.lineno or 0, f.name, f.line)
        for f in traceback.extract_tb(error.__traceback__)
    ]
    first = next((i for i, f in enumerate(found) if not f[0].startswith(HERE)), 0)
    return found[first:]


def message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return f"[unprintable {type(error).__name__}]"


def readable(text: str) -> str:
    """
    Return the text as UTF-8 can have it.

    Half of a surrogate pair, which Python makes of a byte that it cannot decode, would
    end the process at the first write.
    """
    return text.encode("utf-8", "backslashreplace").decode()


def text_lines(described: Description) -> list[str]:
    """Return the lines of the error in a log of format Text."""
    named = filter(None, (described["errorType"], described["errorMessage"]))
    lines = [
        f"[ERROR] {': '.join(named)}".rstrip(),
        "Traceback (most recent call last):",
    ]
    for entry in described["stackTrace"]:
        for line in entry.splitlines() or [""]:
            code = line.lstrip(" ")
            lines.append(INDENT * (len(line) - len(code)) + code)
    return lines


def json_line(described: Description) -> str:
    """Return the line of the error in a log of format JSON."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return to_json({"timestamp": now, "level": "ERROR", **described}).decode()
