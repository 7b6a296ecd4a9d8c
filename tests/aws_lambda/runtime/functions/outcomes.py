"""A function whose outcome is in its event, for any runtime client."""

import collections
import datetime
import decimal
import enum
import json
import logging
import os
import sys
from typing import Any

Pair = collections.namedtuple("Pair", "left right")


class Colour(enum.IntEnum):
    RED = 1


class Text(str):
    pass


def value(spec):
    """Build a value of Python from JSON: ["decimal", "1.10"]."""
    kind, content = spec
    builders: dict[str, Any] = {
        "plain": lambda c: c,
        "decimal": decimal.Decimal,
        "float": float,
        "integer": int,
        "bytes": lambda c: bytes.fromhex(c),
        "date": datetime.date.fromisoformat,
        "time": datetime.datetime.fromisoformat,
        "set": set,
        "enum": lambda c: Colour.RED,
        "text": Text,
        "list": lambda c: [value(item) for item in c],
        "tuple": lambda c: tuple(value(item) for item in c),
        "named": lambda c: Pair(*(value(item) for item in c)),
        "dict": lambda c: {value(key): value(item) for key, item in c},
        "circular": lambda c: circular(),
        "huge": lambda c: 10**5000,
        "deep": deep,
        "iterator": iter,
    }
    return builders[kind](content)


def circular():
    found: list[object] = []
    found.append(found)
    return found


def deep(depth):
    found: list[object] = []
    for _ in range(depth):
        found = [found]
    return found


def fail(spec):
    kind, message = spec
    if kind == "nested":
        try:
            fail(["ValueError", message])
        except ValueError as error:
            raise KeyError(message) from error
    if kind == "made":
        raise type("Größe", (Exception,), {})(message)
    if kind == "recursion":
        fail(spec)
    if kind == "no message":
        raise RuntimeError
    if kind == "compiled":
        exec(compile(f"raise LookupError({message!r})", "<a string>", "exec"))  # noqa: S102
    raise getattr(__import__("builtins"), kind)(message)


def handle(event, context):
    if "context" in event:
        seen = {**vars(context), "repr": repr(context), "w3c": context.w3c()}
        seen["remaining"] = context.get_remaining_time_in_millis() > 0
        if context.client_context:
            client = context.client_context
            seen["client_context"] = [client.custom, client.env, repr(client.client)]
        seen["identity"] = [
            context.identity.cognito_identity_id,
            context.identity.cognito_identity_pool_id,
        ]
        seen["trace"] = os.environ.get("_X_AMZN_TRACE_ID", "none")
        return seen
    for line in event.get("print", ()):
        print(line)
    for level, message, extra in event.get("log", ()):
        logging.getLogger("site").log(level, message, extra=extra)
    if "logged" in event:
        try:
            fail(event["logged"])
        except Exception:
            logging.getLogger("site").exception("It failed")
    if "context log" in event:
        context.log(event["context log"])
    if "fail" in event:
        fail(event["fail"])
    if "exit" in event:
        sys.exit(event["exit"])
    if "process" in event:
        return {
            "path": sys.path,
            "PYTHONPATH": os.environ.get("PYTHONPATH"),
            "fd": os.environ.get("_LAMBDA_TELEMETRY_LOG_FD"),
            "folder": os.getcwd(),
            "level": logging.getLogger().level,
        }
    return value(event["return"]) if "return" in event else event


def echo(event, context):
    """Return what the client has made of the payload."""
    if isinstance(event, bytes):
        return {"bytes": event.hex()}
    return json.dumps(event)
