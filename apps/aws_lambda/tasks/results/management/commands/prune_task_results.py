"""Forget tasks that ended, or were heard of, long ago."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.tasks import TaskResultStatus
from django.utils import timezone

from ...models import StoredTask

UNFINISHED = [TaskResultStatus.READY, TaskResultStatus.RUNNING]


def days(text: str) -> timedelta:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ArgumentTypeError(f"{text!r} is no number of days, such as 14")
    return timedelta(days=number)


class Command(BaseCommand):
    help = (
        "Delete the results of tasks that succeeded 14 days ago, and of those that "
        "failed, or were last heard of and never finished, 90 days ago."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=days,
            default=timedelta(days=14),
            metavar="N",
            help="How long a task that succeeded is kept (default: 14).",
        )
        parser.add_argument(
            "--failed-days",
            type=days,
            default=timedelta(days=90),
            metavar="N",
            help="How long one that failed or never finished is kept (default: 90).",
        )

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        old, failed = now - options["days"], now - options["failed_days"]
        # One statement, whatever their number: nothing refers to them.
        number, _ = (
            StoredTask.objects.alias(
                heard_of=Coalesce("last_attempted_at", "enqueued_at")
            )
            .filter(
                Q(status=TaskResultStatus.SUCCESSFUL, finished_at__lte=old)
                | Q(status=TaskResultStatus.FAILED, finished_at__lte=failed)
                # SQS keeps no message longer than 14 days: it comes no more.
                | Q(status__in=UNFINISHED, heard_of__lte=failed)
            )
            .delete()
        )
        self.stdout.write(f"Task results deleted: {number}")
