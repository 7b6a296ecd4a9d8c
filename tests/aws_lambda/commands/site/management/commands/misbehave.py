"""Do what no command should, and what some have to."""

import asyncio
import os
import signal
import sys
import time

from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction


class Command(BaseCommand):
    requires_system_checks = []

    def add_arguments(self, parser):
        parser.add_argument("what")
        parser.add_argument("--count", type=int, default=0)

    def handle(self, *args, what, count, **options):
        getattr(self, what.replace("-", "_"))(count)

    def fail(self, count):
        self.stdout.write("about to fail")
        raise LookupError("it went wrong: hunter2")

    def refuse(self, count):
        raise CommandError("not like this", returncode=5)

    def exit(self, count):
        sys.exit(3)

    def exit_75(self, count):
        """Say what our runner says of a second run."""
        sys.exit(75)

    def exit_124(self, count):
        """Say what our runner says of a run out of time."""
        raise CommandError("no time like the present", returncode=124)

    def exit_0(self, count):
        sys.exit(0)

    def abandon(self, count):
        """Fail as a coroutine does that was cancelled: with no Exception."""
        raise asyncio.CancelledError

    def say(self, count):
        self.stdout.write("said")

    def ask(self, count):
        input("Are you sure? ")

    def interleave(self, count):
        self.stdout.write("one ", ending="")
        self.stderr.write("two")
        self.stdout.write("three ", ending="")

    def lines(self, count):
        for number in range(1, count + 1):
            self.stdout.write(f"line {number}: " + "x" * 100)

    @transaction.atomic
    def wait(self, count):
        """Wait until nobody else locks the table of groups."""
        self.stdout.write("waiting")
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE auth_group")
        self.stdout.write("waited")

    def sleep(self, count):
        self.stdout.write("asleep")
        with transaction.atomic():
            Group.objects.create(name="half done")
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(60)")

    def cancel(self, count):
        """Make an ordinary failure of an interrupt, as createsuperuser does."""
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            sys.exit(1)

    def deaf(self, count):
        """Take the alarm away, and stay."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(60)

    def environment(self, count):
        self.stdout.write(
            str([name for name in os.environ if "PASSWORD" in name.upper()])
        )
