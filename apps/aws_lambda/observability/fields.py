"""
Make anything that code may log into what a line of JSON can hold.

A line that cannot be written is lost when it is needed most. So nothing here
raises, whatever it is given, and nothing that its name calls secret gets through.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

SECRET = re.compile(
    r"authorization|cookie|credential|csrf|passw|secret|session_?(id|key)|token"
    r"|api_?key|signature",
    re.IGNORECASE,
)
REDACTED = "[redacted]"
# A longer text is cut in the middle: CloudWatch takes 1 MB a line.
TEXT_LIMIT = 50_000
# Also ends what refers to itself.
DEPTH_LIMIT = 10


def plain(value: Any, key: str = "", depth: int = 0) -> Any:
    """Return the value as JSON can hold it, without what its keys call secret."""
    if key and SECRET.search(key):
        return REDACTED
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # Python refuses to write one of thousands of digits.
        return value if value.bit_length() <= 64 else hex(value)[:100]
    if isinstance(value, float):
        # JSON has no NaN and no infinity, and CloudWatch reads no line with one.
        return value if math.isfinite(value) else str(value)
    try:
        if isinstance(value, Mapping) and depth < DEPTH_LIMIT:
            return {text(k): plain(v, text(k), depth + 1) for k, v in [*value.items()]}
        if isinstance(value, list | tuple) and depth < DEPTH_LIMIT:
            return [plain(item, "", depth + 1) for item in value]
    except Exception:
        return unreadable(value)
    if isinstance(value, Mapping | list | tuple):
        # Its text would show what its keys call secret.
        return "..."
    return text(value)


def text(value: Any) -> str:
    """Return the value as text that UTF-8 can encode, if need be cut short."""
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
    return f"[a {type(value).__qualname__} that cannot be read]"
