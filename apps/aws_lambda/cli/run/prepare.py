"""The Django side of `make run`: database, demo superuser, static files."""

import os
import secrets
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import Error, connection
from django.db.migrations.exceptions import InconsistentMigrationHistory

USER = "admin"


class PrepareError(Exception):
    """The site cannot start; the message has the reason and the fix."""


def prepare(password_file: Path) -> tuple[str, str]:
    """
    Migrate, create the demo superuser and collect static files.

    Returns the database and the login, as texts to print. Raises PrepareError if the
    settings are invalid, or the database cannot be reached or migrated.
    """
    os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
    # As the plugin sets it for the functions.
    os.environ["STAGE"] = "local"
    # libpq's default is about two minutes.
    os.environ.setdefault("PGCONNECT_TIMEOUT", "5")
    try:
        django.setup()
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        login = demo_superuser(password_file)
        call_command("collectstatic", interactive=False, verbosity=0)
    except ImproperlyConfigured as error:
        raise PrepareError(f"The settings are invalid: {error}") from error
    except InconsistentMigrationHistory as error:
        raise PrepareError(
            f"The database does not fit AUTH_USER_MODEL or the migrations: {error}\n"
            "Remove the file db.sqlite3 (or name another database in DATABASE_URL), or "
            "see CHANGELOG.md for a database with data to keep."
        ) from error
    except Error as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise PrepareError(
            f"Cannot connect to the database: {reason[0]}\n"
            "Correct DATABASE_URL in the environment or in .env, or remove it to use "
            "the SQLite file db.sqlite3."
        ) from error
    settings = connection.settings_dict
    server = f" on {settings['HOST']}" if settings["HOST"] else ""
    return f"{connection.display_name}{server}: {settings['NAME']}", login


def demo_superuser(password_file: Path) -> str:
    """
    Create a superuser if the database has none; return the login to print.

    The password is random and stored in a file that only its owner can read, so that
    the next run can print it. Existing users are not changed.
    """
    from django.contrib.auth import get_user_model

    users = get_user_model().objects

    stored = password_file.read_text().strip() if password_file.exists() else ""
    if not users.filter(is_superuser=True).exists():
        if users.filter(username=USER).exists():
            return f'none: "{USER}" is not a superuser (run manage.py createsuperuser)'
        password = stored or secrets.token_urlsafe(12)
        password_file.touch(mode=0o600)
        password_file.write_text(password + "\n")
        users.create_superuser(USER, password=password)
        return f"{USER}, password {password}"
    user = users.filter(username=USER, is_superuser=True).first()
    if user and stored and user.check_password(stored):
        return f"{USER}, password {stored}"
    return "with your own superuser"
