"""Delete the results of tasks that ended, or were last updated, long ago."""

from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.tasks import TaskResultStatus
from django.utils import timezone

from ...models import StoredTask


def days(text: str) -> timedelta:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise ArgumentTypeError(f"{text!r} is not a number of days, such as 14")
    return timedelta(days=number)


class Command(BaseCommand):
    help = (
        "Delete the results of tasks that succeeded 14 days ago, and of tasks that "
        "failed, or were last updated and never finished, 90 days ago."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--days",
            type=days,
            default=timedelta(days=14),
            metavar="N",
            help="Days to keep tasks that succeeded (default: 14).",
        )
        parser.add_argument(
            "--failed-days",
            type=days,
            default=timedelta(days=90),
            metavar="N",
            help="Days to keep tasks that failed or never finished (default: 90).",
        )

    def handle(self, **options: Any) -> None:
        now = timezone.now()
        old, failed = now - options["days"], now - options["failed_days"]
        # Nothing refers to the rows, so Django deletes them with one statement.
        number, _ = (
            StoredTask.objects.alias(
                last_update=Coalesce("finished_at", "last_attempted_at", "enqueued_at")
            )
            .filter(
                Q(status=TaskResultStatus.SUCCESSFUL, last_update__lte=old)
                # SQS keeps a message for 14 days at most, so an unfinished task never
                # runs again. Nor does one with the status of another version.
                | ~Q(status=TaskResultStatus.SUCCESSFUL) & Q(last_update__lte=failed)
            )
            .delete()
        )
        self.stdout.write(f"Task results deleted: {number}")
