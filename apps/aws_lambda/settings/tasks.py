"""Background tasks: through the queue instead of inside the request."""

import django

from . import variables
from .site import INTEGRATION, Site

IMMEDIATE = "django.tasks.backends.immediate.ImmediateBackend"
SQS = f"{INTEGRATION}.tasks.backend.SQSBackend"


def queue(site: Site) -> None:
    """Send tasks to TASK_QUEUE_URL where the site runs them in the request."""
    url = variables.read("TASK_QUEUE_URL")
    if not url:
        return
    if django.VERSION < (6,):
        site.advise(
            "TASKS",
            f"TASK_QUEUE_URL is set, but Django {django.get_version()} has no tasks: "
            "remove the queue and its function, or use Django 6.0 or later.",
        )
        return
    tasks, changed = {}, []
    for alias, backend in site.get("TASKS").items():
        tasks[alias] = backend
        if backend.get("BACKEND") == IMMEDIATE:
            names = backend.get("QUEUES") or ["default"]
            urls = {"URLS": dict.fromkeys(names, url)}
            tasks[alias] = {**backend, "BACKEND": SQS, "OPTIONS": urls}
            changed.append(alias)
    if not changed:
        return
    site.change(
        "TASKS",
        tasks,
        f"{', '.join(changed)}: sent to TASK_QUEUE_URL",
        "The immediate backend runs a task inside the request that enqueues it.",
        "Unset the variable TASK_QUEUE_URL, or use a backend of your own",
    )
