"""A function that returns its event, for test_offline.py."""

import json
import os
import sys
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, Any] | None:
    path = event.get("rawPath") or event.get("path", "")
    if path == "/exit":
        os._exit(3)
    if path == "/raise":
        raise ValueError("out of the handler")
    if path == "/none":
        return None
    if path == "/partial-line":
        sys.stdout.write("no newline at the end")
    answer = {
        "event": event,
        "environment": dict(os.environ),
        "function_name": context.function_name,
        "remaining": context.get_remaining_time_in_millis(),
        "pid": os.getpid(),
        "python": sys.executable,
    }
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(answer),
    }
