"""Run a management command on a stage, and show its output here."""

import argparse
import logging
import re
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

Everything after the name of the command is passed to the command. boto3 finds
credentials (AWS_PROFILE...). The region is that of AWS_REGION, AWS_DEFAULT_REGION,
serverless.yml or the profile, in this order. The exit code is the command's, or 124 if
the deadline was exceeded, 75 if another run of the command is in progress, and 126 if
LAMBDA_REMOTE_COMMANDS does not allow the command.
"""


class Command(BaseCommand):
    """Invoke the manage function; show the output and return the exit code."""

    help = "Run a management command on a stage's manage function."
    # They would check the settings here, and the command runs elsewhere.
    requires_system_checks = []

    def create_parser(
        self, prog_name: str, subcommand: str, **kwargs: Any
    ) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.epilog = EXAMPLES
        # Django's own would wrap the examples into a paragraph.
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--stage", default="dev", help="The stage (default: dev).")
        parser.add_argument(
            "--region", help="AWS region, instead of AWS_REGION and serverless.yml."
        )
        parser.add_argument("--profile", help="AWS profile, instead of AWS_PROFILE.")
        parser.add_argument(
            "--function-name",
            help="Name or ARN of the function, instead of LAMBDA_MANAGE_FUNCTION.",
        )
        parser.add_argument(
            "--qualifier",
            help="Version or alias of the function (default: live, unless the name has "
            "one).",
        )
        parser.add_argument(
            "argv",
            nargs=argparse.REMAINDER,
            metavar="command ...",
            help="The command and its arguments.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """
        Run the command on the stage.

        Raises SystemExit with the command's exit code, or with 130 after Ctrl-C.
        Raises CommandError if the command did not run or its result is unknown.
        """
        # At level INFO botocore logs where it found credentials.
        logging.getLogger("botocore").setLevel(logging.WARNING)
        argv = options["argv"]
        if argv[:1] == ["--"]:
            argv = argv[1:]
        if not argv:
            raise CommandError(
                "No command to run. For example: manage.py remote migrate --plan"
            )
        # It is a part of the name of the function.
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", options["stage"]):
            raise CommandError(
                f"--stage is {options['stage']!r}, and the name of a stage is a "
                "letter, then letters, digits and hyphens, such as dev or prod."
            )
        name = options["function_name"] or conf.get("LAMBDA_MANAGE_FUNCTION").format(
            stage=options["stage"]
        )
        if not name:
            raise CommandError(
                "There is no function to invoke: the setting LAMBDA_MANAGE_FUNCTION is "
                'empty. Set it, for example to "site-{stage}-manage", or pass '
                "--function-name."
            )
        try:
            exit_code = call(
                Target.of(name, options["qualifier"]),
                argv,
                write=self.write_line,
                notify=self.stderr.write,
                password_hash=(
                    choose_password(argv) if argv[0] == "createsuperuser" else ""
                ),
                region=options["region"],
                profile=options["profile"],
            )
        except RemoteError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            sys.exit(130)
        if exit_code:
            sys.exit(exit_code)

    def write_line(self, line: str) -> None:
        self.stdout.write(line)
        # A pipe is buffered.
        self.stdout.flush()
