"""Print what a function sees of its stage, for `django-on-lambda doctor`."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from ...commands.diagnosis import diagnose


class Command(BaseCommand):
    """
    Print a JSON object a line: ``item``, ``ok``, ``text`` and ``next_step``.

    Problems are no failure of the command: it would be an error in the log, which is
    what the doctor reports. It reads no input, writes nothing but a file below /tmp,
    and prints no secret.
    """

    help = (
        "Look at the database, secrets, queue, bucket and files from inside a "
        "function, and print what is wrong, as JSON."
    )
    # They may be what is wrong.
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for finding in diagnose():
            self.stdout.write(json.dumps(finding._asdict()))
