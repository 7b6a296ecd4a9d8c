"""What can be wrong with the options of the task backend: its system check."""

import re
from collections.abc import Iterator
from typing import Any, Protocol
from urllib.parse import urlsplit

from django.apps import apps
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.utils.module_loading import import_string

OPTIONS = {"AFTER_COMMIT", "MESSAGE_GROUP", "RESULTS", "URLS"}
# The last two parts of a queue's URL.
PATH = re.compile(r"/\w+/[\w-]{1,80}(\.fifo)?")


class Backend(Protocol):
    """What is looked at here of an SQSBackend."""

    alias: str
    options: dict[str, Any]
    queues: set[str]
    supports_get_result: bool
    urls: dict[str, str]


def backend_options(backend: Backend) -> Iterator[CheckMessage]:
    where = f"TASKS['{backend.alias}']"
    for message, hint in (
        *_unknown(backend),
        *_urls(backend),
        *_group(backend),
        *_results(backend),
    ):
        yield CheckError(f"{where}: {message}", hint=hint, id="aws_lambda.E017")


Found = Iterator[tuple[str, str]]


def _unknown(backend: Backend) -> Found:
    for name in sorted(set(backend.options) - OPTIONS):
        yield (
            f"there is no option {name!r}.",
            f"The options are {', '.join(sorted(OPTIONS))}.",
        )


def _urls(backend: Backend) -> Found:
    for name in sorted(backend.queues - set(backend.urls)):
        yield (
            f"the queue {name!r} has no URL.",
            "Add it to OPTIONS['URLS'], or take the queue out of QUEUES.",
        )
    for name, url in sorted(backend.urls.items()):
        parts = urlsplit(str(url))
        if parts.scheme not in ("http", "https") or not PATH.fullmatch(parts.path):
            yield (
                f"the URL of the queue {name!r} is none of SQS.",
                "It is like https://sqs.<region>.amazonaws.com/<account>/<name>.",
            )


def _group(backend: Backend) -> Found:
    path = backend.options.get("MESSAGE_GROUP")
    if not path:
        return
    try:
        found = callable(import_string(path))
    except ImportError:
        found = False
    if not found:
        yield (
            f"MESSAGE_GROUP names no function: {path!r}.",
            "It is the dotted path of one that takes a TaskResult.",
        )


def _results(backend: Backend) -> Found:
    name = f"{__package__}.task_results"
    if backend.supports_get_result and not apps.is_installed(name):
        yield (
            "RESULTS is on, and there is no table for them.",
            f"Add '{name}' to INSTALLED_APPS, and migrate.",
        )
