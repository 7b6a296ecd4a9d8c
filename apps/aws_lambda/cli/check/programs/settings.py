"""The site's settings: what they are, and a copy of the data that they name."""

import ast
import os
import sys
from importlib import import_module
from importlib.util import find_spec, resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from .failures import Refused

LOCAL_CACHES = ("db.DatabaseCache", "dummy.DummyCache", "locmem.LocMemCache")
MEMORY_CACHE = "django.core.cache.backends.locmem.LocMemCache"
NO_MAIL = "django.core.mail.backends.dummy.EmailBackend"
SQLITE = "django.db.backends.sqlite3"


def describe(settings: str, static: str) -> dict[str, Any]:
    """
    Load the settings and the apps, and return what a check needs to know.

    ``static`` is where the static files of the check are, in which system checks look
    for them. ``plain`` is the settings module without the changes for Lambda, and
    ``blocking`` what keeps the site from working there, as sentences.
    """
    import django
    from django.conf import settings as loaded
    from django.db import connections

    module = import_module(settings)
    if getattr(module, "STATIC_ROOT", None):
        _set(module, "STATIC_ROOT", static)
    django.setup()
    for alias, database in loaded.DATABASES.items():
        # A connection, which checks of some apps open, would create the file.
        if is_sqlite(database) and not Path(str(database["NAME"])).exists():
            connection = connections[alias]
            connection.settings_dict = {**connection.settings_dict, "NAME": ":memory:"}
    from .... import conf

    advice = conf.get("LAMBDA_CHANGES").get("advice", [])
    return {
        "blocking": [f"{a['about']}: {a['text']}" for a in advice if a["blocks"]],
        "django": django.get_version(),
        "plain": plain_settings(settings),
        "python": "{}.{}.{}".format(*sys.version_info),
    }


def plain_settings(name: str) -> str:
    """
    Return the module from which a settings module for Lambda imports everything.

    A module without such an import is for Lambda and for other servers alike.
    """
    spec = find_spec(name)
    source = Path(spec.origin) if spec and spec.origin else None
    if not source or source.suffix != ".py":
        return name
    for node in ast.parse(source.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            relative = "." * node.level + (node.module or "")
            package = name if source.stem == "__init__" else name.rpartition(".")[0]
            return resolve_name(relative, package)
    return name


def isolate(settings: str, data: str, static: str) -> dict[str, list[str]]:
    """
    Change the settings before Django reads them, so that no request harms real data.

    Databases become SQLite files in the folder ``data``, caches on other hosts become
    memory, mail is dropped, and static files are in ``static``. Returns the names of
    the ``databases`` and ``caches`` that are something else on Lambda.
    """
    module = import_module(settings)
    folder = Path(data)
    replaced: dict[str, list[str]] = {"databases": [], "caches": []}
    databases = getattr(module, "DATABASES", {})
    for alias, database in databases.items():
        if database and not is_sqlite(database):
            replaced["databases"].append(f"{alias} ({database.get('ENGINE')})")
    _set(module, "DATABASES", {a: local(d, a, folder) for a, d in databases.items()})
    caches = {}
    for alias, cache in getattr(module, "CACHES", {}).items():
        backend = cache.get("BACKEND", "")
        if backend.endswith("FileBasedCache"):
            caches[alias] = {**cache, "LOCATION": str(folder / f"cache-{alias}")}
        elif backend.endswith(LOCAL_CACHES):
            caches[alias] = cache
        else:
            replaced["caches"].append(f"{alias} ({backend})")
            caches[alias] = {"BACKEND": MEMORY_CACHE, "LOCATION": alias}
    if caches:
        _set(module, "CACHES", caches)
    # Django 6.1 accepts no EMAIL_ setting beside MAILERS.
    if hasattr(module, "MAILERS"):
        mailers = {a: {"BACKEND": NO_MAIL} for a in module.MAILERS}
        _set(module, "MAILERS", mailers)
    else:
        _set(module, "EMAIL_BACKEND", NO_MAIL)
    _set(module, "STATIC_ROOT", static)
    # A file that git does not track may have it, and the deployment sets the variable.
    if not getattr(module, "SECRET_KEY", ""):
        _set(module, "SECRET_KEY", os.environ.get("SECRET_KEY", ""))
    return replaced


def require_isolated(settings: str, data: str) -> None:
    """Raise Refused if the loaded settings are not those that `isolate` changed."""
    from django.conf import settings as loaded

    used = loaded.SETTINGS_MODULE
    if used != settings:
        raise Refused(
            f"lambda_entry.py sets DJANGO_SETTINGS_MODULE to {used!r}, but "
            f"django-on-lambda.toml names {settings!r}. Name the same module in both."
        )
    for alias, database in loaded.DATABASES.items():
        if database.get("NAME") and not Path(database["NAME"]).is_relative_to(data):
            raise Refused(
                f"DATABASES[{alias!r}] was changed after the settings were loaded, so "
                "that the check has no copy of it. Set DATABASES in the settings."
            )


def is_sqlite(database: dict[str, Any]) -> bool:
    """Return whether a database is a file that can be copied."""
    return str(database.get("ENGINE", "")).endswith((".sqlite3", ".spatialite"))


def local(database: dict[str, Any], alias: str, folder: Path) -> dict[str, Any]:
    """Return the settings of the SQLite database that stands for another one."""
    if not database:
        return database
    return {
        "ENGINE": database["ENGINE"] if is_sqlite(database) else SQLITE,
        "NAME": str(folder / f"{alias}.sqlite3"),
        "ATOMIC_REQUESTS": database.get("ATOMIC_REQUESTS", False),
        # A copy need not survive a crash, and migrations are many transactions.
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF"},
        "COPY_OF": str(database.get("NAME", "")) if is_sqlite(database) else "",
    }


def _set(module: ModuleType, name: str, value: Any) -> None:
    setattr(module, name, value)
