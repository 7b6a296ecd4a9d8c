"""
Start Django in the site's own Python, and report what it is: a script, not a module.

    probe.py '{"settings": "mysite.settings"}' report.json

It runs in a copy of the files that git tracks, imports nothing of this package, which
the site's Python may not have, and has syntax that an old Python reads, too: that its
version is too old is for the report. It never reports a value that may be a secret.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
import os
import re
import sys
import traceback
from contextlib import suppress
from typing import Any

# The copy, and the site's own folder, to which an editable installation may lead.
FOLDERS = [os.getcwd()]
INTEGRATION = "django_on_lambda"
# Libraries whose presence decides something.
LIBRARIES = ("MySQLdb", "psycopg", "psycopg2", "storages", INTEGRATION)
PAGES = ("/", "/admin/login/", "/accounts/login/", "/login/")
MOST_PAGES = 3
MOST_REQUESTS = 20


def main() -> None:
    question = json.loads(sys.argv[1])
    # Python puts the script's folder first, manage.py the site's.
    sys.path[:1] = FOLDERS[:]
    FOLDERS.append(question["root"])
    report: dict[str, Any] = {
        "python": list(sys.version_info[:3]),
        "installed": [n for n in LIBRARIES if importlib.util.find_spec(n)],
        "django": None,
        "error": None,
        "variables": {},
        "opened": [],
        "written": [],
    }
    if importlib.util.find_spec("django"):
        import django

        report["django"] = list(django.VERSION[:3])
    if question.get("settings"):
        watch_files(report)
        watch_environment(report)
        os.environ["DJANGO_SETTINGS_MODULE"] = question["settings"]
        try:
            load(report, question["settings"], question.get("key"))
        except BaseException as error:
            report["error"] = describe(error)
    with open(sys.argv[2], "w") as file:
        json.dump(report, file)
    # Without the threads and the exit handlers of the site.
    os._exit(0)


def load(report: dict[str, Any], name: str, key: str | None) -> None:
    """
    Import the settings, set Django up, and import what serves a request.

    ``key`` is the variable from which adopt's settings take a missing SECRET_KEY.
    """
    from django.conf import settings

    report["stage"] = "settings"
    if key:
        settings.SECRET_KEY = os.environ[key]
        report["variables"][key] = {"file": "", "line": 0, "missing": False}
    secret = settings.SECRET_KEY
    # Libraries such as dynaconf have put their own object in the place of Django's.
    import django.conf

    report["settings_object"] = type(django.conf.settings).__module__
    module = sys.modules[name]
    names = getattr(module, "__all__", [n for n in vars(module) if n[0] != "_"])
    report["star"] = "INSTALLED_APPS" in names and "ROOT_URLCONF" in names
    report["names"] = sorted(n for n in vars(module) if n.isupper())
    report["secret_key"] = hashlib.sha256(str(secret).encode()).hexdigest()
    report["settings"] = effective(settings)

    report["stage"] = "setup"
    import django

    django.setup()
    report["stage"] = "URLconf"
    importlib.import_module(settings.ROOT_URLCONF)
    report["stage"] = "WSGI application"
    if settings.WSGI_APPLICATION:
        from django.utils.module_loading import import_string

        import_string(settings.WSGI_APPLICATION)
    report["stage"] = ""
    if os.environ["DJANGO_SETTINGS_MODULE"] != name:
        report["replaced_settings"] = os.environ["DJANGO_SETTINGS_MODULE"]
    report["static_files"], static = static_files()
    report["pages"] = answered_pages(settings)
    report["used"] = used(settings, static)


def effective(settings: Any) -> dict[str, Any]:
    """Return the settings that matter, without the values that may be secrets."""

    def table(name: str) -> dict[str, Any]:
        return dict(getattr(settings, name, None) or {})

    return {
        **{
            name: str(getattr(settings, name, None) or "")
            for name in (
                "ROOT_URLCONF",
                "WSGI_APPLICATION",
                "ASGI_APPLICATION",
                "AUTH_USER_MODEL",
                "STATIC_ROOT",
                "MEDIA_ROOT",
            )
        },
        "INSTALLED_APPS": [str(app) for app in settings.INSTALLED_APPS],
        # Classes by alias, and files or folders by alias.
        "STORAGES": {k: v.get("BACKEND", "") for k, v in table("STORAGES").items()},
        "DATABASES": {
            alias: str(database.get("ENGINE") or "django.db.backends.dummy")
            for alias, database in table("DATABASES").items()
        },
        "FILE_CACHES": {
            alias: str(cache.get("LOCATION", ""))
            for alias, cache in table("CACHES").items()
            if "filebased" in str(cache.get("BACKEND"))
        },
        "LOG_FILES": [
            str(handler["filename"])
            for handler in table("LOGGING").get("handlers", {}).values()
            if handler.get("filename")
        ],
        "INDEXES": {
            alias: str(index["PATH"])
            for alias, index in table("HAYSTACK_CONNECTIONS").items()
            if index.get("PATH")
        },
        "FOLDERS": {
            name: str(value)
            for name in dir(settings)
            if name.endswith(("_DIR", "_FOLDER", "_PATH", "_ROOT"))
            and name not in ("BASE_DIR", "STATIC_ROOT", "MEDIA_ROOT")
            and isinstance(value := getattr(settings, name), (str, os.PathLike))
        },
    }


def static_files() -> tuple[int, list[str]]:
    """Return the number of static files, and the folders that they are in."""
    from django.apps import apps

    if not apps.is_installed("django.contrib.staticfiles"):
        return 0, []
    from django.contrib.staticfiles import finders

    number, folders = 0, set()
    for finder in finders.get_finders():
        try:
            for _, storage in finder.list([]):
                number += 1
                folders.add(str(getattr(storage, "location", "")))
        except Exception:
            # Such as a folder of STATICFILES_DIRS that a build tool makes.
            traceback.print_exc()
    return number, sorted(folders)


def answered_pages(settings: Any) -> list[str]:
    """Return pages that are answered without a database, no redirects if possible."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.utils import OperationalError
    from django.test import Client

    def refuse(connection: Any) -> None:
        raise OperationalError("The probe connects to no database.")

    for method in ("connect", "ensure_connection"):
        setattr(BaseDatabaseWrapper, method, refuse)
    # As on Lambda, where the page for an empty site is not shown.
    settings.DEBUG = False
    settings.ALLOWED_HOSTS = ["*"]
    shown: list[str] = []
    redirected: list[str] = []
    for path in (*PAGES, *named_pages()):
        if len(shown) == MOST_PAGES:
            break
        try:
            client = Client(raise_request_exception=False)
            status = client.get(path, secure=True).status_code
            if status < 400:
                (shown if status < 300 else redirected).append(path)
        except BaseException:
            traceback.print_exc()
    return (shown + redirected)[:MOST_PAGES]


def named_pages() -> list[str]:
    """Return the URLs that have a name and no arguments, except those that act."""
    from django.conf import settings
    from django.urls import NoReverseMatch, get_resolver, reverse
    from django.utils import translation

    language = settings.LANGUAGE_CODE
    with suppress(LookupError):
        # "en" of LANGUAGES for "en-us", with which URLs may begin.
        language = translation.get_supported_language_variant(language)
    found = []
    for name in get_resolver(None).reverse_dict:
        if isinstance(name, str) and not re.search("log_?out|delete", name):
            with suppress(NoReverseMatch), translation.override(language):
                found.append(reverse(name))
    return sorted({*found} - {*PAGES})[:MOST_REQUESTS]


def used(settings: Any, static: list[str]) -> list[str]:
    """Return the top-level files and folders that the running site uses."""
    from django.template import engines

    paths = [
        getattr(module, "__file__", None) or "" for module in list(sys.modules.values())
    ]
    paths += [
        folder
        for module in list(sys.modules.values())
        for folder in getattr(module, "__path__", None) or ()
        if isinstance(folder, str)
    ]
    for engine in engines.all():
        paths += [str(folder) for folder in engine.template_dirs]
    for name in ("LOCALE_PATHS", "FIXTURE_DIRS"):
        paths += [str(f) for f in getattr(settings, name)]
    paths += static
    for name in getattr(settings, "MIGRATION_MODULES", {}).values():
        paths.append(os.path.join(FOLDERS[0], (name or "").split(".")[0]))
    return sorted({top for path in paths if (top := below(path).split(os.sep)[0])})


def below(path: str) -> str:
    """Return a path relative to the site's folder, or "" for one elsewhere."""
    if path.startswith("<"):
        # Code without a file.
        return ""
    path = os.path.abspath(path)
    # A virtual environment in the site's folder.
    if sys.prefix != sys.base_prefix and path.startswith(sys.prefix + os.sep):
        return ""
    for folder in FOLDERS:
        if path.startswith(folder + os.sep):
            return path[len(folder) + 1 :]
    return ""


def watch_files(report: dict[str, Any]) -> None:
    """
    Record the site's files that are opened, except its modules.

    What it writes counts until it has started: a page may write into a bucket.
    """

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        makes = event == "os.mkdir"
        if not (makes or event == "open"):
            return
        path = arguments[0]
        if not isinstance(path, (str, bytes)) or (makes and os.path.isdir(path)):
            return
        writes = makes or arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes and report.get("stage") == "":
            return
        name = below(os.fsdecode(path))
        if name and not name.endswith((".py", ".pyc")) and "__pycache__" not in name:
            found = report["written" if writes else "opened"]
            if name not in found:
                found.append(name)

    sys.addaudithook(hook)


def watch_environment(report: dict[str, Any]) -> None:
    """Record the variables that the site's code reads, and where it reads them."""
    kind: Any = type(os.environ)
    original = kind.__getitem__

    def getitem(self: Any, name: str) -> str:
        try:
            value: str = original(self, name)
        except KeyError:
            record(name, True)
            raise
        record(name, False)
        return value

    def record(name: str, missing: bool) -> None:
        place = reader()
        if place and name != "DJANGO_SETTINGS_MODULE":
            report["variables"].setdefault(name, dict(place, missing=missing))

    kind.__getitem__ = getitem


def reader() -> dict[str, Any] | None:
    """Return file and line of the site's code that reads a variable, or None."""
    frame: Any = sys._getframe(3)
    while frame:
        filename = frame.f_code.co_filename
        # A library reads it while it is imported.
        if filename.startswith("<frozen importlib"):
            return None
        if name := below(filename):
            return {"file": name, "line": frame.f_lineno}
        frame = frame.f_back
    return None


def describe(error: BaseException) -> dict[str, Any]:
    """Return the kind, the message and the place of an error, and the words in it."""
    frames = [
        (below(frame.filename), frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if below(frame.filename)
    ]
    lines = str(error).strip().splitlines()
    file, line = frames[-1] if frames else ("", 0)
    fields = wrong_fields(error)
    return {
        "type": type(error).__name__,
        "message": "; ".join(map(": ".join, fields.items()))
        or (lines[-1] if lines else ""),
        "fields": list(fields),
        "text": str(error),
        "module": (getattr(error, "name", "") or "")
        if isinstance(error, ModuleNotFoundError)
        else "",
        "file": file,
        "line": line,
    }


def wrong_fields(error: BaseException) -> dict[str, str]:
    """Return the variables that pydantic-settings refuses, with the reasons."""
    settings: Any = sys.modules.get("pydantic_settings")
    if not settings or not hasattr(error, "title"):
        return {}
    kinds = settings.BaseSettings.__subclasses__()
    for kind in kinds:
        kinds += kind.__subclasses__()
    prefixes = [
        kind.model_config.get("env_prefix", "")
        for kind in kinds
        if kind.__name__ == error.title
    ]
    problems: Any = error
    return {
        f"{prefixes[0] if prefixes else ''}{one['loc'][0]}".upper(): str(one["msg"])
        for one in problems.errors()
        if one["loc"]
    }


if __name__ == "__main__":
    main()
