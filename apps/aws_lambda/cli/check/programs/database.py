"""Copies of the site's databases, and a superuser in them."""

import sqlite3
from contextlib import closing
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from .failures import Refused, describe

USERNAME = "django-on-lambda-check"
EMAIL = "check@django-on-lambda.example"


def copy_databases() -> dict[str, str]:
    """
    Fill the databases that `isolate` set: copies of SQLite files, or empty tables.

    All migrations are applied. Where SQLite cannot run them, the tables are made
    from the models. Returns by alias how its tables were made. Raises Refused.
    """
    import django
    from django.conf import settings
    from django.core.management import call_command

    django.setup()
    made = {}
    for alias, database in settings.DATABASES.items():
        if not database.get("NAME"):
            continue
        made[alias] = (
            "a copy, migrated"
            if copy_file(Path(database["COPY_OF"]), Path(database["NAME"]))
            else "new, migrated"
        )
        try:
            migrate(alias)
        except Exception as error:
            Path(database["NAME"]).unlink(missing_ok=True)
            made[alias] = f"new, tables without migrations ({describe(error)})"
            make_tables(alias)
    call_command("createcachetable", verbosity=0)
    return made


def copy_file(source: Path, target: Path) -> bool:
    """Copy an SQLite database, and return whether it exists."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not source.name or not source.is_file():
        return False
    uri = f"{source.resolve().as_uri()}?mode=ro"
    # Unlike a copy of the file, this has what is in its write-ahead log.
    with (
        closing(sqlite3.connect(uri, uri=True)) as original,
        closing(sqlite3.connect(target)) as copy,
    ):
        original.backup(copy)
    return True


def migrate(alias: str) -> None:
    """Apply all migrations, and create the tables of apps that have none."""
    from django.core.management import call_command

    call_command(
        "migrate", database=alias, interactive=False, verbosity=0, run_syncdb=True
    )


def make_tables(alias: str) -> None:
    """Create the tables of the models. Raises Refused if SQLite cannot have them."""
    from django.apps import apps
    from django.conf import settings
    from django.db import connections

    connections[alias].close()
    before = settings.MIGRATION_MODULES
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    try:
        migrate(alias)
    except Exception as error:
        raise Refused(
            f"SQLite cannot have the tables of the database {alias!r}: "
            f"{describe(error)}. Test pages with queries with your own test suite and "
            "LambdaClient, on the database that you deploy with."
        ) from None
    finally:
        settings.MIGRATION_MODULES = before


def create_user() -> str | None:
    """
    Create a superuser, and return its primary key, or None without users.

    Raises Refused if neither the manager of AUTH_USER_MODEL can create one nor the
    copied database has one.
    """
    from django.apps import apps
    from django.contrib.auth import get_user_model
    from django.core.exceptions import FieldError

    if not apps.is_installed("django.contrib.auth"):
        return None
    # Any model: the site chooses it.
    model: Any = get_user_model()
    names = {model.USERNAME_FIELD, *model.REQUIRED_FIELDS}
    try:
        values = {name: value_for(model._meta.get_field(name)) for name in names}
        manager = model._default_manager
        user = manager.create_superuser(**values, password=token_urlsafe())
    except Exception as error:
        try:
            user = model._default_manager.filter(is_superuser=True).first()
        except FieldError:
            user = None
        if user is None:
            raise Refused(
                f"{model._meta.label} has no superuser, and create_superuser() with "
                f"{', '.join(sorted(names))} failed: {describe(error)}. Pages are "
                "compared for anonymous visitors only."
            ) from None
    return str(user.pk)


def value_for(field: Any) -> Any:
    """Return a valid value for a field of a new row, related rows included."""
    from django.db import models

    if field.many_to_many:
        return []
    if field.many_to_one or field.one_to_one:
        return related_row(field.remote_field.model)
    if field.has_default():
        return field.get_default()
    if field.choices:
        return next(value for value, _ in field.flatchoices)
    match field:
        case models.EmailField():
            return EMAIL
        case models.URLField():
            return "https://django-on-lambda.example/"
        case models.CharField() | models.TextField():
            return USERNAME[: field.max_length]
    return simple_value(field)


def simple_value(field: Any) -> Any:
    from datetime import UTC, date, datetime, time, timedelta
    from uuid import uuid4

    values = {
        "BooleanField": True,
        "DateField": date(2000, 1, 1),
        "DateTimeField": datetime(2000, 1, 1, tzinfo=UTC),
        "DurationField": timedelta(0),
        "GenericIPAddressField": "192.0.2.1",
        "JSONField": {},
        "TimeField": time(0),
    }
    kind = field.get_internal_type()
    return uuid4() if kind == "UUIDField" else values.get(kind, 1)


def related_row(model: Any) -> Any:
    """Return the first row of a model, or a new one."""
    from django.db import models

    existing = model._default_manager.first()
    if existing is not None:
        return existing
    values = {
        field.name: value_for(field)
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField)
        and not field.has_default()
        and not field.null
    }
    return model._default_manager.create(**values)
