"""
Collect the static files of the site that DJANGO_SETTINGS_MODULE names: a script.

Django does not copy a file again that was changed in the second in which it was last
copied. This compares the contents.
"""

import fcntl
import os
import sys
from typing import Any

import django
from django.contrib.staticfiles.management.commands import collectstatic
from django.core.management import call_command


class Command(collectstatic.Command):
    def delete_file(self, path: str, prefixed_path: str, source_storage: Any) -> bool:
        """Return whether a file is to be copied; delete an older copy."""
        if self.local and self.storage.exists(prefixed_path):
            with (
                source_storage.open(path) as source,
                self.storage.open(prefixed_path) as copy,
            ):
                changed = source.read() != copy.read()
            if changed:
                self.storage.delete(prefixed_path)
        return bool(super().delete_file(path, prefixed_path, source_storage))


if __name__ == "__main__":
    sys.path[0] = os.getcwd()
    # That of an environment which a newer save has ended may still run.
    fcntl.flock(os.open(".", os.O_RDONLY), fcntl.LOCK_EX)
    django.setup()
    call_command(Command(), interactive=False, verbosity=0)
