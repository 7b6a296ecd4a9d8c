"""The Django side of `make run`: database, demo superuser, static files."""

import os
import secrets
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import Error, connection

USER = "admin"


class PrepareError(Exception):
    """What keeps the site from starting, in one sentence."""


def prepare(password_file: Path) -> tuple[str, str]:
    """
    Make the site ready to be served; return where its data is and who may log in.

    Raises PrepareError if the settings are wrong or the database does not answer.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    # What the local plugin sets for the functions.
    os.environ["STAGE"] = "local"
    # libpq would wait two minutes for an address that does not answer.
    os.environ.setdefault("PGCONNECT_TIMEOUT", "5")
    try:
        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        login = demo_superuser(password_file)
        call_command("collectstatic", interactive=False, verbosity=0)
    except ImproperlyConfigured as error:
        raise PrepareError(f"The settings are wrong: {error}") from error
    except Error as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise PrepareError(
            f"The database does not answer: {reason[0]}\n"
            "Check DATABASE_URL, in the environment or in .env; without it, the "
            "SQLite file db.sqlite3 is used."
        ) from error
    settings = connection.settings_dict
    server = f" on {settings['HOST']}" if settings["HOST"] else ""
    return f"{connection.display_name}{server}: {settings['NAME']}", login


def demo_superuser(password_file: Path) -> str:
    """
    Return the login to print, made only if the database has no superuser.

    The password is random, and kept in a file that only its owner can read, so
    that it can be printed again. No existing user is changed.
    """
    from django.contrib.auth.models import User

    kept = password_file.read_text().strip() if password_file.exists() else ""
    if not User.objects.filter(is_superuser=True).exists():
        if User.objects.filter(username=USER).exists():
            return f'none: "{USER}" is no superuser (manage.py createsuperuser)'
        password = kept or secrets.token_urlsafe(12)
        password_file.touch(mode=0o600)
        password_file.write_text(password + "\n")
        User.objects.create_superuser(USER, password=password)
        return f"{USER}, password {password}"
    user = User.objects.filter(username=USER, is_superuser=True).first()
    if user and kept and user.check_password(kept):
        return f"{USER}, password {kept}"
    return "as you set it up"
