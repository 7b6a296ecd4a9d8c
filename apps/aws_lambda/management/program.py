"""A management command that is a command of the program, such as adopt."""

import os
import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

PROGRAM = f"{__name__.partition('.management.')[0]}.cli"


class ProgramCommand(BaseCommand):
    """
    Start `django-on-lambda <program>` in a process of its own, with its arguments.

    The Python is that of manage.py.
    """

    program: str
    # They would check the settings here, which the program does not use.
    requires_system_checks = []

    def run_from_argv(self, argv: list[str]) -> None:
        """Pass all arguments on: its options have other names than Django's."""
        self.handle(argv=argv[2:])

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("argv", nargs="*")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises SystemExit with the status of the program unless it is 0."""
        process = subprocess.run(  # noqa: S603
            [sys.executable, "-m", PROGRAM, self.program, *options["argv"]],
            # The site's Python is the one that runs manage.py.
            env=os.environ | {"VIRTUAL_ENV": sys.prefix},
            check=False,
        )
        if process.returncode:
            sys.exit(process.returncode)
