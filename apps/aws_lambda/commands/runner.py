"""Run a management command that an event names, as manage.py would."""

import logging
import traceback
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from .. import conf
from ..database.advisory_lock import LockHeld, advisory_lock
from ..database.connections import discard_interrupted_connections
from ..deadline import DeadlineExceeded, guard
from ..invocation import invocation
from .output import Output
from .superuser import password_set_to

logger = logging.getLogger(__name__)


class Ended(NamedTuple):
    """How a run ended. A command's own exit code may be one of ours, too."""

    exit_code: int
    skipped: bool = False
    out_of_time: bool = False


# What coreutils' timeout returns, and sysexits.h for "try again later".
TIME_WAS_UP = Ended(124, out_of_time=True)
BUSY = Ended(75, skipped=True)
# As manage.py: what argparse returns for arguments that it does not understand.
USAGE = 2

# They change nothing, so any number may run at once.
READING = frozenset({"check", "showmigrations", "sqlmigrate"})


def run(argv: list[str], output: Output, password_hash: str = "") -> Ended:
    """
    Run a command, and return how it ended; whatever went wrong is in the output.

    No command runs twice at once on a database, but those in READING: the second
    is not run and BUSY is returned. TIME_WAS_UP says that the deadline struck: the
    open transaction was rolled back.

    ``argv`` begins with the name, which the caller has allowed. It is given to the
    command's own parser, and to no shell. --settings and --pythonpath, which name
    code to import, are refused.
    """
    current = invocation.get()
    try:
        with guard(
            current.remaining_ms if current else None,
            conf.get("LAMBDA_DEADLINE_MARGIN"),
        ):
            return Ended(guarded(argv, output, password_hash))
    except LockHeld as error:
        output.write(f"{error} Nothing was done.\n")
        return BUSY
    except DeadlineExceeded:
        discard_interrupted_connections()
        output.write(
            "\nThe time was up: the function's timeout is near. What the command had "
            "not committed was rolled back. See the log for where it was.\n"
        )
        output.write(traceback.format_exc())
        logger.exception("The time was up in %s", argv[0])
        return TIME_WAS_UP
    finally:
        output.finish()


def guarded(argv: list[str], output: Output, password_hash: str) -> int:
    """Return the exit code, whatever happens but for the lock and the deadline."""
    try:
        return execute(argv, output, password_hash)
    except EOFError:
        output.write(
            "\nThe command asked for input, which a function cannot give: use "
            "--noinput, or say all that it needs in its arguments.\n"
        )
        return 1
    except CommandError as error:
        text = f"{type(error).__name__}: {error}"
        output.write(f"{text}\n")
        # The output is not in the log if its level is above INFO.
        logger.error("%s: %s", argv[0], text)
        return error.returncode
    except SystemExit as error:
        # createsuperuser makes one of any KeyboardInterrupt.
        if isinstance(error.__context__, DeadlineExceeded):
            raise error.__context__ from None
        return exit_code(error, output)
    except (LockHeld, DeadlineExceeded):
        raise
    except BaseException:
        # asyncio's CancelledError, for one, is no Exception.
        output.write(traceback.format_exc())
        logger.exception("%s failed", argv[0])
        return 1


def execute(argv: list[str], output: Output, password_hash: str) -> int:
    name, *arguments = argv
    command = find(name)
    parser = command.create_parser("manage.py", name)
    if {"-h", "--help"} & set(arguments):
        # The parser's own help goes to the process's standard output.
        output.write(parser.format_help())
        return 0
    try:
        options = vars(parser.parse_args(arguments))
    except CommandError as error:
        output.write(f"{parser.format_usage()}{error}\n")
        return USAGE
    if options.pop("settings") or options.pop("pythonpath"):
        output.write("--settings and --pythonpath do not work in a function.\n")
        return USAGE
    if name == "createsuperuser":
        # Nobody can answer; it would do nothing, and call that a success.
        options["interactive"] = False
    with lock(name, options), password_set_to(password_hash):
        arguments = options.pop("args", ())
        command.execute(*arguments, **options, stdout=output, stderr=output)
    return 0


def find(name: str) -> BaseCommand:
    """Return the command. Raises CommandError if the project has no such command."""
    try:
        app = get_commands()[name]
    except KeyError:
        raise CommandError(f"This project has no command {name!r}.") from None
    return app if isinstance(app, BaseCommand) else load_command_class(app, name)


def lock(name: str, options: dict[str, Any]) -> AbstractContextManager[None]:
    if name in READING:
        return nullcontext()
    return advisory_lock(name, options.get("database") or DEFAULT_DB_ALIAS)


def exit_code(error: SystemExit, output: Output) -> int:
    """Return what the process would have ended with."""
    if error.code is None or isinstance(error.code, int):
        return error.code or 0
    output.write(f"{error.code}\n")
    return 1
