"""Print what apply() has changed in the settings for Lambda, and why."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ... import conf
from ...settings.configured import settings_module
from ...settings.site import INTEGRATION


class Command(BaseCommand):
    """
    Print each setting that differs on Lambda: what, why, and how to keep one's own.

    Then the advice: what the settings cannot change. With --settings it reads another
    settings module, as every command does.
    """

    help = (
        "Print what apply() has changed in the settings for Lambda, why, and how to "
        "keep your own values."
    )
    # It explains settings, also those that the checks report.
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the record. Raises CommandError if apply() was not called."""
        running = os.environ.get("DJANGO_SETTINGS_MODULE", "These settings")
        record = conf.get("LAMBDA_CHANGES")
        if not record:
            raise CommandError(f"{running} does not call apply(). {self.advice()}")
        self.stdout.write(f"{running} on Lambda (docs/settings.md)\n")
        for change in record["changes"]:
            self.stdout.write(f"\n{change['setting']}: {change['what']}")
            self.stdout.write(f"  why: {change['why']}")
            self.stdout.write(f"  to keep your own: {change['own']}")
        if record["advice"]:
            self.stdout.write("\nNot changed, for you to decide:")
        for advice in record["advice"]:
            first = "must change" if advice["blocks"] else "see"
            self.stdout.write(f"\n{advice['about']} ({first})\n  {advice['text']}")

    def advice(self) -> str:
        """Return which module to use instead."""
        if named := settings_module():
            return (
                f"The functions run with {named.module}, by {named.file}. Run: "
                f"manage.py lambda_settings --settings {named.module}"
            )
        return (
            f"Call it at the end of a new settings module, 'from {INTEGRATION}."
            "settings import apply' and 'apply(globals())', and name that module by "
            "--settings."
        )
