"""
Prepare the site's database and static files, in its own Python: a script.

    prepare.py '{"settings": "mysite.settings", "password": ".run/password"}' REPORT

It imports nothing of this package, which may be that of another Python. Its report has
the facts of run/local.py's LocalSite, or ``error`` with the reason and the fix;
``stage`` is "settings" if the site did not start.
"""

import json
import os
import secrets
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

USER = "admin"
EMAIL = "admin@example.com"
# The label of the app that stores the results of background tasks.
RESULTS = "lambda_task_results"


def main() -> None:
    question = json.loads(sys.argv[1])
    # Python puts the folder of this script first, manage.py that of the site.
    sys.path[0] = os.getcwd()
    os.environ["DJANGO_SETTINGS_MODULE"] = question["settings"]
    report = prepare(Path(question["password"]))
    Path(sys.argv[2]).write_text(json.dumps(report))


def prepare(password_file: Path) -> dict[str, Any]:
    """Set Django up, migrate, create a superuser, and collect static files."""
    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import CommandError
    from django.db import Error
    from django.db.migrations.exceptions import InconsistentMigrationHistory

    stage = "settings"
    try:
        django.setup()
        stage = "database"
        login = prepare_database(password_file)
        stage = "static files"
        collect_static()
    except ImproperlyConfigured as error:
        reason = f"The settings are invalid: {error}"
        # Django loads the engine of a database when it is first used.
        stage = "settings"
    except InconsistentMigrationHistory as error:
        reason = (
            f"The database does not fit AUTH_USER_MODEL or the migrations: {error}\n"
            "Remove the file db.sqlite3 (or name another database in DATABASE_URL), or "
            "see CHANGELOG.md for a database with data to keep."
        )
    except Error as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = (
            f"Cannot connect to the database: {lines[0]}\n"
            "Correct DATABASES in the settings, or the variables that they read, such "
            "as DATABASE_URL, in the environment or in .env."
        )
    except CommandError as error:
        reason = f"The {stage} cannot be prepared: {error}"
    except Exception as error:
        reason = f"The {stage} cannot be prepared: {type(error).__name__}: {error}"
        if stage == "settings":
            reason = f"The settings are invalid: {type(error).__name__}: {error}"
    else:
        return {
            "error": "",
            "database": describe_database(),
            "login": login,
            "static": static_folders(),
            "written": written_paths(),
            "storages": find_spec("storages") is not None,
            **task_results(),
        }
    return {"error": reason, "stage": stage}


def prepare_database(password_file: Path) -> str:
    """Migrate the database, and return the login to print."""
    from django.apps import apps
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    call_command("createcachetable", verbosity=0)
    if not apps.is_installed("django.contrib.auth"):
        return "none: django.contrib.auth is not installed"
    return demo_superuser(password_file)


def collect_static() -> None:
    from django.apps import apps
    from django.core.management import call_command

    if apps.is_installed("django.contrib.staticfiles"):
        call_command("collectstatic", interactive=False, verbosity=0)


def static_folders() -> list[str]:
    """Return the folders from which static files are collected."""
    from django.apps import apps
    from django.contrib.staticfiles.finders import get_finders

    if not apps.is_installed("django.contrib.staticfiles"):
        return []
    storages = [
        storage
        for finder in get_finders()
        # Finders of other packages may have none.
        for storage in getattr(finder, "storages", {}).values()
    ]
    return [storage.location for storage in storages if hasattr(storage, "location")]


def written_paths() -> list[str]:
    """Return the files and folders that the site writes, as its settings name them."""
    from django.conf import settings

    paths = [
        settings.MEDIA_ROOT,
        settings.STATIC_ROOT,
        getattr(settings, "EMAIL_FILE_PATH", None),
    ]
    # Elsewhere the name of a database, or the location of a cache, is not a path.
    for database in settings.DATABASES.values():
        if "lite" in database.get("ENGINE", ""):
            paths.append(database["NAME"])
    for cache in settings.CACHES.values():
        if "filebased" in cache["BACKEND"]:
            paths.append(cache["LOCATION"])
    return [os.path.abspath(path) for path in paths if path]


def describe_database() -> str:
    from django.db import connection

    settings = connection.settings_dict
    server = f" on {settings['HOST']}" if settings["HOST"] else ""
    return f"{connection.display_name}{server}: {settings['NAME']}"


def task_results() -> dict[str, Any]:
    """Return the admin's page of background tasks, and how many have not finished."""
    from django.apps import apps
    from django.urls import reverse

    if not (app := apps.app_configs.get(RESULTS)):
        return {"results": "", "lost": 0}
    model = app.get_model("StoredTask")
    try:
        page = reverse(f"admin:{RESULTS}_storedtask_changelist")
    except Exception:
        # The site has no admin, or its URLs cannot be imported, as its pages will show.
        page = ""
    unfinished = model._default_manager.filter(status__in=["READY", "RUNNING"])
    return {"results": page, "lost": unfinished.count()}


def demo_superuser(password_file: Path) -> str:
    """
    Create a superuser if the database has none; return the login to print.

    The password is random and stored in a file that only its owner can read, so that
    the next run can print it. Existing users are not changed, and a user model with
    required fields of its own gets no user.
    """
    from django.contrib.auth import get_user_model

    model: Any = get_user_model()
    by_hand = "run manage.py createsuperuser"
    try:
        superusers = model._default_manager.filter(is_superuser=True)
        values = {
            field: value_of(model._meta.get_field(field))
            for field in (model.USERNAME_FIELD, *model.REQUIRED_FIELDS)
        }
        name = values[model.USERNAME_FIELD]
        stored = password_file.read_text().strip() if password_file.exists() else ""
        user = model._default_manager.filter(**{model.USERNAME_FIELD: name}).first()
        if user is None and not superusers.exists():
            password = stored or secrets.token_urlsafe(12)
            model._default_manager.create_superuser(**values, password=password)
            password_file.touch(mode=0o600)
            password_file.write_text(password + "\n")
            return f"{name}, password {password}"
        if not superusers.exists():
            return f'none: "{name}" is not a superuser ({by_hand})'
        if user and user.is_superuser and stored and user.check_password(stored):
            return f"{name}, password {stored}"
        return "with your own superuser"
    except Exception as error:
        # Any model, manager and signal of the site.
        return f"none was created: {type(error).__name__}: {error} ({by_hand})"


def value_of(field: Any) -> str:
    """Return a value for a field of the user model. Raises TypeError for most."""
    from django.db import models

    if isinstance(field, models.EmailField):
        return EMAIL
    if isinstance(field, models.CharField):
        return USER
    raise TypeError(f"there is no value for {field.name}, which the model requires")


if __name__ == "__main__":
    main()
