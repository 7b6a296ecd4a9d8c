"""What the functions run: their settings module, and the site's WSGI application."""

import ast
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning

from ..settings.configured import settings_module


def other_settings() -> Iterator[CheckMessage]:
    """Report that the functions run with other settings than these."""
    running = os.environ.get("DJANGO_SETTINGS_MODULE")
    named = settings_module()
    if running and named and running != named.module:
        yield CheckWarning(
            f"These checks read {running}, and {named.file} names {named.module}, "
            "which the functions run with and which may lack this app.",
            hint=f"Run: manage.py check --deploy --settings {named.module}",
            id="aws_lambda.W014",
        )


def wsgi_application() -> Iterator[CheckMessage]:
    """Report a wsgi.py that adds to the application, and is not served."""
    urlconf = getattr(settings, "ROOT_URLCONF", None)
    if settings.WSGI_APPLICATION or not isinstance(urlconf, str):
        return
    # Where startproject puts it.
    name = f"{urlconf.rpartition('.')[0]}.wsgi".lstrip(".")
    spec = find_spec(name)
    if spec and spec.origin and wraps(Path(spec.origin).read_text()):
        yield CheckWarning(
            "WSGI_APPLICATION is not set, so the function serves Django's own "
            f"application, without what {name} adds to it.",
            hint=f"Set WSGI_APPLICATION = '{name}.application'.",
            id="aws_lambda.W015",
        )


def wraps(source: str) -> bool:
    """Return whether a module assigns more to ``application`` than Django's own."""
    values = [
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "application" for t in node.targets)
    ]
    return any(ast.unparse(value) != "get_wsgi_application()" for value in values)
