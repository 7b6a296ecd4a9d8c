"""The manage function: management commands that an operator sends, one at a time."""

import logging
import re
import time
from typing import Any, NamedTuple

from .. import conf
from ..events import UnsupportedEvent, refusal
from ..invocation import Invocation
from .output import Output
from .runner import run

logger = logging.getLogger(__name__)

EXAMPLE = '{"argv": ["migrate", "--plan"]}'
# What a shell returns for a command that it may not execute.
NOT_ALLOWED_EXIT_CODE = 126
# The client searches the log for it.
TOKEN = re.compile(r"[0-9a-f]{32}")


class CommandRequest(NamedTuple):
    argv: list[str]
    token: str
    password_hash: str


def serve(invocation: Invocation) -> dict[str, Any]:
    """
    Run the command that an operator sends, and return its result.

    The event is ``{"argv": ["migrate", "--plan"]}``, with an optional ``token`` of 32
    hexadecimal digits and, for createsuperuser, an optional ``password_hash``. The
    result has ``exit_code``, ``request_id``, and what ``Output.result`` returns.

    A caller may run the commands of LAMBDA_REMOTE_COMMANDS, and no other code. Raises
    UnsupportedEvent for any other event.
    """
    request = read(invocation.event)
    # An operator may have typed something else first, such as --password=...
    allowed = request.argv[0] in conf.get("LAMBDA_REMOTE_COMMANDS")
    name = request.argv[0] if allowed else "(not allowed)"
    output = Output(command=name, run=request.token)
    start = time.perf_counter()
    # The arguments are not logged: they may be personal data.
    logger.info("%s started", name, extra=output.fields)
    exit_code = run_allowed(request, output)
    logger.log(
        logging.ERROR if exit_code else logging.INFO,
        "%s ended with exit code %s",
        name,
        exit_code,
        extra={
            **output.fields,
            "exit_code": exit_code,
            "lines": output.lines,
            "duration_ms": round((time.perf_counter() - start) * 1000, 1),
        },
    )
    return {
        "exit_code": exit_code,
        "request_id": invocation.request_id,
        **output.result(),
    }


def read(event: Any) -> CommandRequest:
    """Return the request in an event. Raises UnsupportedEvent."""
    fields = event if isinstance(event, dict) else {}
    argv, token = fields.get("argv"), fields.get("token", "")
    password_hash = fields.get("password_hash", "")
    if not (isinstance(argv, list) and argv and all(isinstance(a, str) for a in argv)):
        raise refusal(event, "manage", f"commands such as {EXAMPLE}")
    if not isinstance(token, str) or (token and not TOKEN.fullmatch(token)):
        raise UnsupportedEvent('The "token" of an event must be 32 hexadecimal digits.')
    if not isinstance(password_hash, str) or (
        password_hash and argv[0] != "createsuperuser"
    ):
        raise UnsupportedEvent(
            'The "password_hash" of an event must be a string, and only '
            "createsuperuser takes one."
        )
    return CommandRequest(argv, token, password_hash)


def run_allowed(request: CommandRequest, output: Output) -> int:
    """Run the command if LAMBDA_REMOTE_COMMANDS allows it; return the exit code."""
    name, allowed = request.argv[0], sorted(conf.get("LAMBDA_REMOTE_COMMANDS"))
    if name not in allowed:
        output.write_unlogged(
            f"{name!r} is not allowed here. LAMBDA_REMOTE_COMMANDS allows: "
            f"{', '.join(allowed)}. To allow it, add it to that setting and deploy.\n"
        )
        return NOT_ALLOWED_EXIT_CODE
    return run(request.argv, output, password_hash=request.password_hash).exit_code
