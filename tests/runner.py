"""Make `manage.py test` run pytest."""

import subprocess
import sys
from argparse import ArgumentParser
from typing import Any


class PytestRunner:
    """
    Pass the labels to pytest in a process of its own.

    manage.py has loaded the settings with the user's environment; the suite loads them
    with the environment of tests/environment.py.
    """

    def __init__(self, pytest_args: list[str] | None = None, **options: Any) -> None:
        self.args = list(pytest_args or [])
        if options.get("keyword"):
            self.args += ["-k", options["keyword"]]
        if options.get("failfast"):
            self.args.append("--exitfirst")
        if options.get("verbosity", 1) > 1:
            self.args.append("--verbose")

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument(
            "-k", dest="keyword", metavar="EXPRESSION", help="Run matching tests only."
        )

    def run_tests(self, test_labels: list[str], **kwargs: Any) -> int:
        """Return pytest's exit code, which manage.py takes for a failure count."""
        return subprocess.call(
            [sys.executable, "-m", "pytest", *self.args, *test_labels]
        )
