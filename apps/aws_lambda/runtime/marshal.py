"""
Events from JSON, and results to JSON, as AWS's client reads and writes them.

That uses simplejson with options of its own: a namedtuple is an object, bytes are text,
a Decimal is a number with all of its digits.
https://github.com/aws/aws-lambda-python-runtime-interface-client
"""

import json
import os
import re
from typing import Any

# From here on, an event is searched for a body that JSON need not read.
LARGE_BYTES = 16 * 1024
AFTER_KEY = re.compile(rb'\s*:\s*"')


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def read_event(data: bytes | bytearray) -> Any:
    """
    Return the value of JSON, which Lambda has found valid. Raises ValueError.

    A long ``body`` without escapes, such as base64, is taken out before: reading it as
    JSON takes ten times longer than copying it.
    """
    if len(data) >= LARGE_BYTES and (found := _find_body(data)):
        start, end, body = found
        rest = b"".join((data[: start - 1], b"0", data[end + 1 :]))
        event = _decode(str(rest, "utf-8"))
        # Lambda sends a string or null: the number is the one above, or the body that
        # was found is the value of another object.
        if isinstance(event, dict) and event.get("body") == 0:
            event["body"] = body
            return event
    return _decode(str(data, "utf-8"))


def _find_body(data: bytes | bytearray) -> tuple[int, int, str] | None:
    """Return begin, end and text of a long value of a key "body", or None."""
    position = 0
    while (position := data.find(b'"body"', position)) >= 0:
        after = AFTER_KEY.match(data, position + 6)
        position += 6
        if not after:
            continue
        start = after.end()
        end = data.find(b'"', start)
        if end - start >= LARGE_BYTES // 2:
            if data.find(b"\\", start, end) >= 0:
                return None
            try:
                with memoryview(data) as view:
                    return start, end, str(view[start:end], "ascii")
            except UnicodeDecodeError:
                return None
    return None


def to_json(value: Any) -> bytes:
    """
    Return the value as JSON in UTF-8.

    Raises TypeError or ValueError for what cannot be, and UnicodeEncodeError, a
    ValueError, for half of a surrogate pair.
    """
    decimals: list[str] = []
    token = ""

    def default(obj: Any) -> Any:
        nonlocal token
        # Imported by what returns one, or never.
        from decimal import Decimal

        if isinstance(obj, bytes):
            return obj.decode()
        if not isinstance(obj, Decimal):
            raise TypeError(
                f"Object of type {type(obj).__name__} is not JSON serializable"
            )
        if obj.is_nan():
            return float("nan")
        token = token or os.urandom(8).hex()
        decimals.append(str(obj))
        return f"{token}{len(decimals) - 1}"

    try:
        text = json.dumps(_plain(value), ensure_ascii=False, default=default)
    except TypeError as error:
        # "keys must be str, int, float, bool or None, not decimal.Decimal"
        words, _, name = str(error).rpartition(" not ")
        if words.startswith("keys must be"):
            error.args = (f"{words} not {name.rpartition('.')[2]}",)
        raise
    if decimals:
        # In place of the strings that default() has returned.
        text = re.sub(f'"{token}([0-9]+)"', lambda m: decimals[int(m[1])], text)
    return text.encode()


def _plain(value: Any) -> Any:
    """Return the value with namedtuples as objects, and keys of bytes as text."""
    try:
        return _replaced(value)
    except RecursionError:
        # json has a better error for it.
        return value


def _replaced(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key.decode() if isinstance(key, bytes) else key: _replaced(item)
            for key, item in value.items()
        }
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return _replaced(value._asdict())
    if isinstance(value, list | tuple):
        return [_replaced(item) for item in value]
    return value
