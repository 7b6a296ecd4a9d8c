"""
Answer the calls of a check, one line of JSON each, on an inherited socket.

A call is ``[name, arguments]``. The answer is ``{"result": ...}``, or ``{"error":
...}`` with a sentence.
"""

import json
import socket
import sys
from collections.abc import Callable
from typing import Any

from .failures import explain

CALLS = {
    "describe": "settings",
    "isolate": "settings",
    "check_system": "system_checks",
    "collect_static": "static",
    "copy_databases": "database",
    "create_user": "database",
    "find_pages": "urls",
    "find_urls": "urls",
    "start_plain": "serving",
    "start_lambda": "serving",
    "log_in": "serving",
    "get": "serving",
}


def main() -> None:
    """Answer until the other end closes the socket."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    # Programs that the site starts must not keep it open.
    connection.set_inheritable(False)
    with connection.makefile("rw") as lines:
        for line in lines:
            name, arguments = json.loads(line)
            lines.write(json.dumps(answer(name, arguments)) + "\n")
            lines.flush()


def answer(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a call."""
    try:
        return {"result": function(name)(**arguments)}
    # SystemExit too: settings and commands may raise it.
    except BaseException as error:
        return {"error": explain(error)}


def function(name: str) -> Callable[..., Any]:
    # Imported by its first call: an error there is an answer.
    from importlib import import_module

    module = import_module(f".{CALLS[name]}", __package__)
    found: Callable[..., Any] = getattr(module, name)
    return found


if __name__ == "__main__":
    main()
