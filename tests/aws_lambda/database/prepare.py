"""
Fill the database at DATABASE_URL with what the tests request.

Prints, as JSON, the session key of a staff user and the ID of a document.
"""

import json
import os
import sys

import django


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
    django.setup()

    # Models cannot be imported before setup.
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client

    from apps.documents.models import Document

    call_command("migrate", verbosity=0)
    call_command("createcachetable")
    staff = get_user_model().objects.create(
        username="staff", is_staff=True, is_superuser=True
    )
    document = Document.objects.create(title="Minutes", file="documents/minutes.txt")
    client = Client()
    client.force_login(staff, backend="django.contrib.auth.backends.ModelBackend")
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    json.dump({"session": session, "document": document.pk}, sys.stdout)


if __name__ == "__main__":
    main()
