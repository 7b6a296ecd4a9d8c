"""
Run the handler of a function for each event, as Lambda's runtime client does: a script.

    invoke.py lambda_entry.http [collectstatic] [urls]

The plugin starts it in the site's folder, with a socket as file descriptor 3. A line of
JSON comes in for each event, with ``event`` and ``context``. A line goes out after the
init phase, with ``ready`` or the traceback in ``failed``, and after each event, with
``result`` or ``error``. The words are additional steps of the init phase.

It imports nothing of this package, which may be that of another Python.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any, BinaryIO

COLLECT = Path(__file__).with_name("collect_static.py")
# Half of what a site imports, without its settings.
LIBRARIES = (
    "django.core.handlers.wsgi",
    "django.db.models",
    "django.forms",
    "django.template",
    "django.views.generic",
)


class Context:
    """The context object of Lambda's Python runtime."""

    identity = None
    client_context = None
    timeout_seconds: float

    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)
        self.started = time.monotonic()

    def get_remaining_time_in_millis(self) -> int:
        passed = time.monotonic() - self.started
        return max(0, int((self.timeout_seconds - passed) * 1000))


def main() -> None:
    name, *steps = sys.argv[1:]
    # Python puts the folder of this script first, and Lambda that of the site.
    sys.path[0] = os.getcwd()
    with open(3, "rb") as events, open(3, "wb", closefd=False) as answers:
        try:
            ignore_bytecode(os.getcwd())
            if "collectstatic" in steps:
                collect_static()
            handler = load(name)
            if "urls" in steps:
                load_urls()
        except BaseException as error:
            send(answers, {"failed": describe(error)})
            sys.exit(1)
        send(answers, {"ready": True})
        for line in events:
            call = json.loads(line)
            send(answers, answer(handler, call["event"], Context(**call["context"])))


def send(answers: BinaryIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message).encode() + b"\n")
    answers.flush()


def ignore_bytecode(root: str) -> None:
    """
    Load the modules of the site from their sources.

    Bytecode counts as that of a source with the same size and the same whole second.
    After two saves in one second, every new process could run the first one.
    """
    path_stats = SourceFileLoader.path_stats

    def path_stats_of_libraries(self: SourceFileLoader, path: str) -> Any:
        if path.startswith(root + os.sep) and "site-packages" not in path:
            # Python then reads the source, and writes no bytecode.
            raise OSError(path)
        return path_stats(self, path)

    SourceFileLoader.path_stats = path_stats_of_libraries  # type: ignore[method-assign]


def collect_static() -> None:
    """Collect static files, before the site lists them. Raises RuntimeError."""
    with subprocess.Popen(
        [sys.executable, COLLECT], stderr=subprocess.PIPE, text=True
    ) as process:
        # Meanwhile, on another processor.
        for name in LIBRARIES:
            import_module(name)
        _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(f"collectstatic failed:\n{errors}")


def load(name: str) -> Callable[[Any, Any], Any]:
    module, _, function = name.rpartition(".")
    handler: Callable[[Any, Any], Any] = getattr(
        import_module(module.replace("/", ".")), function
    )
    return handler


def load_urls() -> None:
    """
    Import the URLconf, and with it the views.

    Django does so for a request, which then fails with a page that has no reason.
    """
    if "django" in sys.modules:
        from django.conf import settings
        from django.urls import get_resolver

        if settings.configured:
            get_resolver().url_patterns  # noqa: B018


def describe(error: BaseException) -> str:
    """Return the traceback of a failed init phase, without frames of the import."""
    if type(error).__name__ == "InitError" and error.__context__:
        # lambda_entry raises it in place of the cause, which it has logged.
        error = error.__context__
    summary = traceback.TracebackException.from_exception(error)
    summary.stack[:] = [
        frame
        for frame in summary.stack
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    return "".join(summary.format())


def answer(handler: Callable[[Any, Any], Any], event: Any, context: Context) -> Any:
    """Return the result of an event, or the error with which the handler ended."""
    try:
        result = handler(event, context)
        json.dumps(result)
    except Exception as error:
        traceback.print_exc()
        return {
            "error": {"errorType": type(error).__name__, "errorMessage": str(error)}
        }
    return {"result": result}


if __name__ == "__main__":
    main()
