"""Run a management command in the cloud, as if it were here."""

import argparse
import logging
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import conf
from ...commands.remote.client import call
from ...commands.remote.errors import RemoteError, Target
from ...commands.superuser import choose_password

EXAMPLES = """\
examples:
  manage.py remote --stage prod migrate --plan
  manage.py remote --stage prod createsuperuser --username ann --email ann@example.com

Everything after the name of the command is the command's own. Credentials and region
are those of AWS_PROFILE, AWS_DEFAULT_REGION and so on. The exit code is the command's;
it is 124 if its time was up, 75 if another run of it is in progress, and 126 if
LAMBDA_REMOTE_COMMANDS does not allow it.
"""


class Command(BaseCommand):
    """Send a command to the manage function; show its output, return its exit code."""

    help = "Run a management command on a stage's manage function."
    # Nothing of the stage is here: no database, no secrets.
    requires_system_checks = []

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.epilog = EXAMPLES
        # Otherwise the examples become one paragraph.
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--stage", default="dev", help="What was deployed (default: dev)."
        )
        parser.add_argument("--region", help="AWS region, if not AWS_DEFAULT_REGION's.")
        parser.add_argument("--profile", help="AWS profile, if not AWS_PROFILE's.")
        parser.add_argument(
            "--function-name",
            help="Name or ARN of the function, if not LAMBDA_MANAGE_FUNCTION's.",
        )
        parser.add_argument("--qualifier", help="A version or an alias of it.")
        parser.add_argument(
            "argv",
            nargs=argparse.REMAINDER,
            metavar="command ...",
            help="The command, and all that it is to get.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """
        Run the command there.

        Raises SystemExit with its exit code, or 130 after Ctrl-C, and CommandError
        when it could not be run.
        """
        # It says where it found credentials, and standard output is the command's.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        argv = options["argv"]
        if argv[:1] == ["--"]:
            argv = argv[1:]
        if not argv:
            raise CommandError("Which command? For example: remote migrate --plan")
        name = options["function_name"] or conf.get("LAMBDA_MANAGE_FUNCTION").format(
            stage=options["stage"]
        )
        if not name:
            raise CommandError(
                "Which function? Set LAMBDA_MANAGE_FUNCTION, or give --function-name."
            )
        try:
            password_hash = ""
            if argv[0] == "createsuperuser":
                password_hash = choose_password(argv)
            exit_code = call(
                Target(name, options["qualifier"]),
                argv,
                write=self.show,
                complain=self.complain,
                password_hash=password_hash,
                region=options["region"],
                profile=options["profile"],
            )
        except RemoteError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(130)
        if exit_code:
            sys.exit(exit_code)

    def show(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def complain(self, sentence: str) -> None:
        self.stderr.write(sentence)
