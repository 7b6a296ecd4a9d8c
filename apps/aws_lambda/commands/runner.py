"""Run a management command that an event names, as manage.py would."""

import logging
import traceback
from contextlib import AbstractContextManager, nullcontext
from enum import Enum, auto
from typing import Any, NamedTuple

from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS

from .. import conf
from ..database.advisory_lock import LockHeld, advisory_lock
from ..database.connections import discard_interrupted_connections
from ..deadline import DeadlineExceeded, cancel_coroutines, guard
from ..invocation import invocation
from .output import Output
from .superuser import password_set_to

logger = logging.getLogger(__name__)

# As coreutils' timeout, sysexits.h's EX_TEMPFAIL ("try again later") and argparse.
DEADLINE_EXIT_CODE = 124
LOCKED_EXIT_CODE = 75
USAGE_EXIT_CODE = 2

# They write nothing to the database, or lambda_database_password the same each time, so
# any number of them may run at once, and their start does not need one.
UNLOCKED_COMMANDS = frozenset(
    {
        "check",
        "lambda_database_password",
        "lambda_diagnose",
        "showmigrations",
        "sqlmigrate",
    }
)


class Outcome(Enum):
    SUCCEEDED = auto()
    FAILED = auto()
    # Another run of the same command held the lock.
    SKIPPED = auto()


class CommandResult(NamedTuple):
    """
    How a run of a command ended.

    The exit code does not tell a skipped run from a command that exits with 75 itself.
    ``summary`` completes a sentence that begins with the command.
    """

    outcome: Outcome
    exit_code: int
    summary: str


def run(
    argv: list[str],
    output: Output,
    *,
    password_hash: str = "",
    skip_checks: bool = False,
) -> CommandResult:
    """
    Run a command, and return how it ended. It raises nothing.

    ``output`` gets what the command writes, and its error or traceback.

    ``argv`` begins with the name, which the caller has allowed. The arguments go to
    the command's own parser, and to no shell. --settings and --pythonpath, which name
    code to import, are refused. ``skip_checks`` leaves Django's system checks out.

    A command never runs twice at once on a database, except for UNLOCKED_COMMANDS:
    the second run is skipped. LAMBDA_DEADLINE_MARGIN before Lambda's timeout the
    command is interrupted and its open transaction rolled back.
    """
    name = argv[0]
    current = invocation.get()
    remaining_ms = current.remaining_ms if current else None
    deadline = guard(remaining_ms, conf.get("LAMBDA_DEADLINE_MARGIN"))
    try:
        with deadline:
            exit_code = execute(argv, output, password_hash, skip_checks)
        if deadline.exceeded:
            # The command has caught the interrupt.
            cancel_coroutines()
    except LockHeld as error:
        output.write(f"{error} This run did nothing.\n")
        return CommandResult(
            Outcome.SKIPPED, LOCKED_EXIT_CODE, "was skipped: another run is in progress"
        )
    except BaseException as error:
        # createsuperuser, for one, turns a KeyboardInterrupt into a SystemExit.
        if deadline.exceeded or isinstance(error, DeadlineExceeded):
            cancel_coroutines()
            discard_interrupted_connections()
            report_deadline(name, error, output)
            return CommandResult(
                Outcome.FAILED, DEADLINE_EXIT_CODE, "failed: deadline exceeded"
            )
        exit_code = report_error(name, error, output)
    finally:
        output.finish()
    if exit_code:
        return CommandResult(
            Outcome.FAILED, exit_code, f"failed with exit code {exit_code}"
        )
    return CommandResult(Outcome.SUCCEEDED, 0, "succeeded")


def report_deadline(name: str, error: BaseException, output: Output) -> None:
    """Write to the output and the log where the deadline interrupted a command."""
    message = (
        "the function's timeout was near, so the command was interrupted and its open "
        "transaction rolled back."
    )
    output.write(f"\nDeadline exceeded in {name}: {message}\n")
    output.write("".join(traceback.format_exception(error)))
    logger.error("Deadline exceeded in %s: %s", name, message, exc_info=error)


def report_error(name: str, error: BaseException, output: Output) -> int:
    """Write an exception to the output and the log, and return its exit code."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        output.write(f"{error.code}\n")
        return 1
    if isinstance(error, CommandError):
        text = f"{type(error).__name__}: {error}"
        output.write(f"{text}\n")
        # With a LOG_LEVEL above INFO the log does not have the output.
        logger.error("%s: %s", name, text)
        return error.returncode
    if isinstance(error, EOFError):
        output.write(
            "\nThe command asked for input, and a Lambda function has none. Pass "
            "--noinput, or the answers as arguments.\n"
        )
        return 1
    output.write("".join(traceback.format_exception(error)))
    logger.error("%s failed", name, exc_info=error)
    return 1


def execute(
    argv: list[str], output: Output, password_hash: str, skip_checks: bool
) -> int:
    """Run a command and return its exit code. Raises what the command raises."""
    name, *arguments = argv
    command = find(name)
    parser = command.create_parser("manage.py", name)
    if {"-h", "--help"} & set(arguments):
        # The parser itself prints its help on the process's standard output.
        output.write(parser.format_help())
        return 0
    try:
        options = vars(parser.parse_args(arguments))
    except CommandError as error:
        output.write(f"{parser.format_usage()}Invalid arguments.\n")
        output.write_unlogged(f"{error}\n")
        return USAGE_EXIT_CODE
    if options.pop("settings") or options.pop("pythonpath"):
        output.write(
            "A function does not support --settings and --pythonpath. Remove them.\n"
        )
        return USAGE_EXIT_CODE
    if skip_checks:
        options["skip_checks"] = True
    if name == "createsuperuser":
        # Without a terminal an interactive one does nothing, and exits with 0.
        options["interactive"] = False
    password = password_set_to(password_hash) if password_hash else nullcontext()
    with lock(name, options), password:
        arguments = options.pop("args", ())
        command.execute(*arguments, **options, stdout=output, stderr=output)
    return 0


def find(name: str) -> BaseCommand:
    """Return the command. Raises CommandError if the project does not have it."""
    try:
        app = get_commands()[name]
    except KeyError:
        raise CommandError(
            f"There is no command {name!r} in the apps of INSTALLED_APPS."
        ) from None
    return app if isinstance(app, BaseCommand) else load_command_class(app, name)


def lock(name: str, options: dict[str, Any]) -> AbstractContextManager[None]:
    if name in UNLOCKED_COMMANDS:
        return nullcontext()
    return advisory_lock(name, options.get("database") or DEFAULT_DB_ALIAS)
