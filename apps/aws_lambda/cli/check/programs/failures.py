"""Exceptions of a site as sentences: what failed, where, and what to do."""

import os
import re
import sys
import traceback
from errno import EROFS
from pathlib import Path

VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*_[A-Z0-9_]+\b|\b[A-Z]{4,}\b")
FILE = "django-on-lambda.toml"
MAX_CHARACTERS = 300


class Refused(Exception):
    """A check cannot continue; the message is a sentence with the fix."""


def explain(error: BaseException) -> str:
    """Return a sentence about an exception, without a traceback."""
    if isinstance(error, Refused):
        return str(error)
    if type(error).__name__ == "InitError" and error.__context__:
        # It hides its cause from Lambda's log, which others may read.
        error = error.__context__
    if isinstance(error, ModuleNotFoundError):
        return (
            f"{describe(error)}. {sys.executable} cannot import it: add it to the "
            "dependencies of the site, and install them."
        )
    if isinstance(error, OSError) and error.errno == EROFS:
        return (
            f"{describe(error)}. The code is read-only on Lambda: write below /tmp, or "
            "into a bucket."
        )
    if name := missing_variable(error):
        return (
            f"The environment variable {name} is not set: {describe(error)}. Add a "
            f"value for checks to [stand-ins] in {FILE}, and the real one to "
            "serverless.yml."
        )
    return f"{describe(error)}."


def describe(error: BaseException) -> str:
    """Return the type and the text of an exception, and the line of the site's code."""
    lines = " ".join(str(error).split()) or "without a message"
    text = lines if len(lines) <= MAX_CHARACTERS else f"{lines[:MAX_CHARACTERS]}…"
    place = where(error)
    return f"{type(error).__name__}: {text}{f' ({place})' if place else ''}".rstrip(".")


def where(error: BaseException) -> str:
    """Return the file and line of the site in which an exception was raised, or ""."""
    root = Path.cwd()
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        outside = "site-packages" in path.parts or path.parent == Path(__file__).parent
        if path.is_relative_to(root) and not outside:
            return f"{path.relative_to(root)}:{frame.lineno}"
    return ""


def missing_variable(error: BaseException) -> str:
    """Return the name of the environment variable whose absence raised this, or ""."""
    if isinstance(error, KeyError):
        frames = traceback.extract_tb(error.__traceback__)
        # os.environ is a class of the module os.
        from_environ = frames and frames[-1].filename in (os.__file__, "<frozen os>")
        return str(error.args[0]) if from_environ else ""
    # What settings, django-environ and python-decouple raise.
    if isinstance(error, ValueError) or type(error).__name__ in (
        "ImproperlyConfigured",
        "UndefinedValueError",
    ):
        where_raised = where(error).partition(":")[0]
        names = [n for n in VARIABLE.findall(str(error)) if n not in os.environ]
        if names and ("settings" in where_raised or "environment" in str(error)):
            return str(names[0])
    return ""
