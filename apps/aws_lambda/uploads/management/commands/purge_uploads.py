"""Delete uploads that no form has saved."""

from typing import Any

from django.core.management.base import BaseCommand

from ...grants import purge


class Command(BaseCommand):
    help = "Delete files that were uploaded 24 hours ago, and that no form has saved."

    def handle(self, **options: Any) -> None:
        self.stdout.write(f"Uploads deleted: {purge()}")
