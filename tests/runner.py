"""Make `manage.py test` run pytest."""

import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import CommandError

ROOT = Path(__file__).resolve().parents[1]


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
        selected = [selection(label) for label in test_labels]
        return subprocess.call([sys.executable, "-m", "pytest", *self.args, *selected])


def selection(label: str) -> str:
    """
    Return a label of Django, "package.module.Class.method", as pytest writes it.

    What pytest reads itself is not changed: a path, also with "::". Raises CommandError
    if the first names are not those of a folder or a module.
    """
    name, _, rest = label.partition("::")
    if "/" in name or name.endswith(".py") or Path(name).exists():
        return label
    words = name.split(".")
    path = ROOT
    for position, word in enumerate(words):
        if (path / word).is_dir():
            path /= word
        elif (path / f"{word}.py").is_file():
            names = [*words[position + 1 :], *([rest] if rest else [])]
            return "::".join([str(path / f"{word}.py"), *names])
        else:
            raise CommandError(
                f"{label} is not a test: {path} has neither a folder {word} nor a "
                f"file {word}.py. A label is a path, or like apps.shop.tests.Class.test"
            )
    return str(path)
