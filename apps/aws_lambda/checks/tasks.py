"""The options of the task backend."""

import re
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError

from .lookup import is_subclass, load

OPTIONS = {"AFTER_COMMIT", "MESSAGE_GROUP", "RESULTS", "URLS"}
# The last two parts of a queue's URL.
PATH = re.compile(r"/\w+/[\w-]{1,80}(\.fifo)?")


def backends() -> Iterator[CheckMessage]:
    if not getattr(settings, "TASKS", None) or find_spec("django.tasks") is None:
        return
    from django.tasks import task_backends

    for alias, entry in settings.TASKS.items():
        if not is_subclass(entry.get("BACKEND", ""), sqs_backend()):
            continue
        backend = task_backends[alias]
        for message, hint in (
            *_unknown(backend),
            *_urls(backend),
            *_group(backend),
            *_results(backend),
        ):
            yield CheckError(
                f"TASKS[{alias!r}]: {message}", hint=hint, id="aws_lambda.E017"
            )


def sqs_backend() -> type:
    # Django 5.2 cannot import it.
    from ..tasks.backend import SQSBackend

    return SQSBackend


Found = Iterator[tuple[str, str]]


def _unknown(backend: Any) -> Found:
    for name in sorted(set(backend.options) - OPTIONS):
        yield (
            f"there is no option {name!r}.",
            f"The options are {', '.join(sorted(OPTIONS))}.",
        )


def _urls(backend: Any) -> Found:
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


def _group(backend: Any) -> Found:
    path = backend.options.get("MESSAGE_GROUP")
    if not path:
        return
    if not callable(load(path)):
        yield (
            f"MESSAGE_GROUP names no function: {path!r}.",
            "It is the dotted path of one that takes a TaskResult.",
        )


def _results(backend: Any) -> Found:
    name = f"{__package__.rpartition('.')[0]}.tasks.results"
    if backend.supports_get_result and not apps.is_installed(name):
        yield (
            "RESULTS is on, and there is no table for them.",
            f"Add '{name}' to INSTALLED_APPS, and migrate.",
        )
