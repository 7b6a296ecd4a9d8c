"""
Count the files of the integration that an event passes through.

What a reader has to open to follow it: each file that is entered, and each change
from one file to another. Log lines are formatted as on Lambda, and count.
"""

import logging
import sys
from collections.abc import Callable
from io import StringIO
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import apps.aws_lambda
from apps.aws_lambda.observability.formatters import JSONFormatter

APP = Path(apps.aws_lambda.__file__).parent
# The models of AWS that tests use are no part of the way.
MODELS = APP / "test"


class Crossings(NamedTuple):
    """The files in the order in which they are first entered, and the changes."""

    files: list[str]
    changes: int


def count(serve: Callable[[], object]) -> Crossings:
    """Return what ``serve`` crosses the second time, when everything is imported."""
    serve()
    entered: list[str] = []

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        path = frame.f_code.co_filename
        inside = path.startswith(f"{APP}/") and not path.startswith(f"{MODELS}/")
        if event == "call" and inside:
            entered.append(path)

    lines = logging.StreamHandler(StringIO())
    lines.setFormatter(JSONFormatter())
    root = logging.getLogger()
    root.addHandler(lines)
    sys.setprofile(profile)
    try:
        serve()
    finally:
        sys.setprofile(None)
        root.removeHandler(lines)
    files = [str(Path(path).relative_to(APP)) for path in dict.fromkeys(entered)]
    changes = sum(a != b for a, b in pairwise(entered))
    return Crossings(files, changes)
