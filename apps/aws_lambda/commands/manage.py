"""The manage function: manage.py for operators, one allowed command at a time."""

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

EXPECTED = '{"argv": ["migrate", "--plan"]}'
# What a shell returns for a command that it may not run.
NOT_ALLOWED = 126
# What the client chose to find our lines in the log by.
TOKEN = re.compile(r"[0-9a-f]{32}")


class Order(NamedTuple):
    argv: list[str]
    token: str
    password_hash: str


def serve(invocation: Invocation) -> dict[str, Any]:
    """
    Run the command that an operator sends.

    The event is ``{"argv": ["migrate", "--plan"]}``, with a ``token`` of 32
    hexadecimal digits and, for createsuperuser, a ``password_hash`` if wanted. The
    result has ``exit_code``, ``request_id``, and what Output.result returns.

    Whoever may invoke it may run the commands of LAMBDA_REMOTE_COMMANDS, and no
    other code. Raises UnsupportedEvent for any other event.
    """
    order = read(invocation.event)
    name = order.argv[0]
    output = Output(command=name, run=order.token)
    start = time.perf_counter()
    # Never the arguments: they may hold what is nobody's business.
    logger.info("%s begins", name, extra=output.extra)
    exit_code = obey(order, output)
    duration = round((time.perf_counter() - start) * 1000, 1)
    logger.log(
        logging.ERROR if exit_code else logging.INFO,
        "%s ended with exit code %s",
        name,
        exit_code,
        extra={
            **output.extra,
            "exit_code": exit_code,
            "duration_ms": duration,
        },
    )
    return {
        "exit_code": exit_code,
        "request_id": invocation.request_id,
        **output.result(),
    }


def read(event: Any) -> Order:
    """Return what the event asks for. Raises UnsupportedEvent."""
    given = event if isinstance(event, dict) else {}
    argv, token = given.get("argv"), given.get("token", "")
    password_hash = given.get("password_hash", "")
    if not argv or not is_list_of_text(argv):
        raise refusal(event, "manage", f"commands such as {EXPECTED}")
    if not isinstance(token, str) or (token and not TOKEN.fullmatch(token)):
        raise UnsupportedEvent("The token of this event is not 32 hexadecimal digits.")
    if not isinstance(password_hash, str) or (
        password_hash and argv[0] != "createsuperuser"
    ):
        raise UnsupportedEvent("A password_hash is for createsuperuser, and is text.")
    return Order(argv, token, password_hash)


def is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def obey(order: Order, output: Output) -> int:
    """Run the command if the settings allow it; return its exit code."""
    allowed = sorted(conf.get("LAMBDA_REMOTE_COMMANDS"))
    if order.argv[0] not in allowed:
        output.write(
            f"{order.argv[0]!r} may not be run here. LAMBDA_REMOTE_COMMANDS allows "
            f"{', '.join(allowed)}.\n"
        )
        return NOT_ALLOWED
    return run(order.argv, output, order.password_hash).exit_code
