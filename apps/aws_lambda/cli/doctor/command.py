"""
Ask a running stage what is wrong with it. It changes nothing.

    django-on-lambda doctor --stage prod
"""

from collections.abc import Iterator, Sequence

from ..arguments import add_stage, parser_of, stage_command
from ..release.stage import Stage
from ..report import (
    DeployError,
    interrupt_on_signals,
    next_command,
    write,
    write_error,
)
from . import account, history, inside, mail
from .line import OK, UNKNOWN, Line, attempt, joined


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each item, and return 0 if all of them are ok, otherwise 1."""
    parser = parser_of("doctor", __doc__)
    add_stage(parser)
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    healthy = True
    try:
        stage = Stage(options.stage, region=options.region)
        # Raises NotFound if it does not exist.
        stage.stack()
        for line in examine(stage):
            write(str(line))
            healthy = healthy and line.state == OK
    except KeyboardInterrupt:
        return 130
    except DeployError as error:
        again = stage_command("doctor", options.stage, options.region)
        write_error(f"{error}\nNext: {next_command(error, again)}")
        return 1
    return 0 if healthy else 1


def examine(stage: Stage) -> Iterator[Line]:
    """
    Yield a line for each item, as soon as it is known.

    An item that cannot be looked at does not stop the others. If no version is live,
    there is nothing else to look at. Raises DeployError if AWS does not return the
    live versions, and NoAccess when AWS cannot be asked any more.
    """
    live = stage.versions()
    functions = account.deployed(stage, live)
    yield joined(
        line
        for line in (
            attempt("alias", lambda: account.alias(stage, live)),
            account.states(stage, functions),
        )
        if line
    )
    if not {"http", "manage"} <= live.keys():
        return
    yield attempt("environment", lambda: account.environment(stage, functions))
    yield attempt("roles", lambda: account.roles(stage, functions))
    twice = {
        "queue": [attempt("queue", lambda: account.queue(stage, functions))],
        "e-mail": [attempt("e-mail", lambda: mail.email(stage, functions))],
    }
    for line in inside.look(stage):
        if line.item in twice:
            twice[line.item].append(line)
        elif line.item == "secrets" and line.state == UNKNOWN:
            # A missing parameter is a reason why the function does not start.
            missing = attempt("secrets", lambda: account.secrets(stage))
            yield joined([line, missing]) if missing else line
        else:
            yield line
    yield from map(joined, twice.values())
    yield attempt("errors", lambda: history.errors(stage, live))
    yield attempt("cold starts", lambda: history.cold_starts(stage, functions))
