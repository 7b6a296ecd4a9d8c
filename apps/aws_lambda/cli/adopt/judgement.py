"""What follows from the facts: what is printed, warned of, and refused."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from .facts import Site, is_writable
from .locks import ARCHITECTURE, DISTRIBUTION
from .probe import INTEGRATION

# Workers that have no process on Lambda: apps and settings that show them.
WORKERS = {
    "Celery": (r"django_celery_\w+|djcelery", r"CELERY_\w+"),
    "Huey": (r"huey\.contrib\.djhuey|bx_django_utils", r"HUEY"),
    "Django Q": (r"django_q", r"Q_CLUSTER"),
    "RQ": (r"django_rq", r"RQ_QUEUES"),
    "Dramatiq": (r"django_dramatiq", r"DRAMATIQ_BROKER"),
    "APScheduler": (r"django_apscheduler", r"APSCHEDULER_\w+"),
}


@dataclass(frozen=True)
class Line:
    """A line of the report: what it is about, the text, and file and line."""

    title: str
    text: str
    place: str = ""

    def __str__(self) -> str:
        place = f"  ({self.place})" if self.place else ""
        return f"  {self.title:20} {self.text}{place}"


def findings(site: Site) -> Iterator[Line]:
    """Yield what was found, each with file and line."""
    report, settings = site.report, site.settings
    yield Line("Python", ".".join(map(str, report["python"])), str(site.python))
    yield Line("Django", ".".join(map(str, report["django"])))
    module = site.modules.settings.get(site.production)
    where = module.path if module else ""
    yield Line("settings", f"{site.production}, {site.why}", where)
    others = sorted(site.modules.settings.keys() - {site.production})
    if others:
        yield Line("other settings", ", ".join(others))
    yield Line("URLconf", settings["ROOT_URLCONF"], site.place("ROOT_URLCONF"))
    application = settings["WSGI_APPLICATION"] or "Django's own"
    yield Line("WSGI application", application, site.place("WSGI_APPLICATION"))
    if site.lock:
        yield Line("dependencies", site.lock.path)
    if site.packages.built:
        yield Line("built from source", ", ".join(site.packages.built))
    if settings["AUTH_USER_MODEL"] != "auth.User":
        user = settings["AUTH_USER_MODEL"]
        yield Line("user model", user, site.place("AUTH_USER_MODEL"))
    for alias, engine in settings["DATABASES"].items():
        yield Line(f"database {alias}", engine, site.place("DATABASES"))
    yield Line(
        "static files",
        f"{report['static_files']} files, {settings['STORAGES'].get('staticfiles')}, "
        f"STATIC_ROOT {settings['STATIC_ROOT'] or 'is not set'}",
        site.place("STATIC_ROOT", "STATIC_URL"),
    )
    yield Line(
        "media files",
        f"{settings['STORAGES'].get('default')}, "
        f"MEDIA_ROOT {settings['MEDIA_ROOT'] or 'is not set'}",
        site.place("MEDIA_ROOT", "STORAGES"),
    )
    yield Line("folders", ", ".join(report["used"]))
    for name in site.probed.stand_ins:
        place = (
            site.place_of(name) or "lambda_settings.py: production has no such setting"
        )
        yield Line("required variable", name, place)
    optional = [
        name
        for name, read in report["variables"].items()
        if read["missing"] and name not in site.probed.stand_ins
    ]
    if optional:
        yield Line("optional variables", ", ".join(sorted(optional)))


def warnings(site: Site) -> Iterator[Line]:
    """Yield what runs differently on Lambda, each with what to do."""
    settings, report = site.settings, site.report
    for alias, engine in settings["DATABASES"].items():
        if re.search(r"sqlite3$|spatialite$", engine):
            yield Line(
                f"database {alias}",
                "SQLite is a file, which every environment has of its own, and which "
                "is read-only in the package. Use PostgreSQL or MySQL on Lambda",
                site.place("DATABASES"),
            )
    if "FileSystemStorage" in settings["STORAGES"].get("default", ""):
        yield Line(
            "media files",
            "FileSystemStorage loses uploads with the environment. On Lambda they go "
            "to the bucket in MEDIA_BUCKET" + _storages(site),
            site.place("STORAGES", "MEDIA_ROOT"),
        )
    for worker, (apps, names) in WORKERS.items():
        app = next((a for a in settings["INSTALLED_APPS"] if re.match(apps, a)), "")
        name = next((n for n in report["names"] if re.fullmatch(names, n)), "")
        if app or name:
            yield Line(
                worker,
                "has no worker on Lambda: its tasks are queued and not run. Use "
                "Django's tasks, or run the worker elsewhere",
                site.place(name or "INSTALLED_APPS"),
            )
    if any(re.match(r"channels|daphne", app) for app in settings["INSTALLED_APPS"]):
        yield Line(
            "Channels",
            "WebSockets are not served: a function ends with its response",
            site.place("INSTALLED_APPS"),
        )
    for alias, folder in settings["FILE_CACHES"].items():
        yield Line(
            f"cache {alias}",
            f"is on disk, in {folder}, and every environment has a disk of its own. "
            "Use a database or Redis for what all must see",
            site.place("CACHES"),
        )
    for alias, path in settings["INDEXES"].items():
        if not is_writable(path):
            yield Line(
                f"search index {alias}",
                f"is on disk, in {path}, which is read-only. Use a search server, or "
                "the database",
                site.place("HAYSTACK_CONNECTIONS"),
            )
    for name, path in settings["FOLDERS"].items():
        in_code = path[:1] not in ("", "/")
        if in_code and not any(file.startswith(f"{path}/") for file in site.tracked):
            yield Line(
                name,
                f"{path} is in the code, which is read-only. If the site writes there, "
                "use /tmp or a bucket",
                site.place(name),
            )
    # `apply` moves a cache on disk, and writes the lines of log files elsewhere.
    moved = [f"{folder}/" for folder in settings["FILE_CACHES"].values()]
    for name in report["written"]:
        if name in settings["LOG_FILES"] or f"{name}/".startswith(tuple(moved)):
            continue
        yield Line(
            name,
            "is written when the site starts. The code is read-only on Lambda: write "
            "below /tmp, or only where it is possible",
        )
    for name in site.untracked():
        yield Line(
            name,
            "is read at the start, and git does not track it: it is not in the "
            "package. Set what it has as variables of the functions",
        )
    yield from _package_warnings(site)
    if replaced := report.get("replaced_settings"):
        yield Line(
            "WSGI application",
            f"sets DJANGO_SETTINGS_MODULE to {replaced}, after the settings were "
            "loaded. Write os.environ.setdefault instead",
            next(iter(site.modules.wsgi.values()), ""),
        )


def refusals(site: Site) -> Iterator[str]:
    """Yield why the site cannot be adopted as it is, each with the fix."""
    settings = site.settings
    has_wsgi = any(name.endswith("wsgi.py") for name in site.tracked)
    if settings["ASGI_APPLICATION"] and not (settings["WSGI_APPLICATION"] or has_wsgi):
        yield (
            f"The site is served by ASGI only: {settings['ASGI_APPLICATION']}"
            f"{_at(site.place('ASGI_APPLICATION'))}. Lambda runs its views through "
            "WSGI, WebSockets not at all. Add a wsgi.py as of `django-admin "
            "startproject`, and set WSGI_APPLICATION."
        )
    if site.probed.changing_key:
        yield (
            "SECRET_KEY differs from process to process"
            f"{_at(site.place('SECRET_KEY'))}: each environment would end the sessions "
            "of the others. Read it from an environment variable."
        )
    yield from _dependency(site)
    yield from _package_refusals(site)


def _package_warnings(site: Site) -> Iterator[Line]:
    packages, lock = site.packages, site.lock.path if site.lock else ""
    if packages.error:
        yield Line("wheels", f"were not checked: {packages.error}", lock)
    if packages.size.is_near_the_limit and not packages.size.is_too_large:
        unsure = packages.size.error
        yield Line(
            "size",
            "bytecode, code and static files come on top of the dependencies, which "
            f"have {packages.size}" + (f" (not measured: {unsure})" if unsure else ""),
            lock,
        )


def _package_refusals(site: Site) -> Iterator[str]:
    packages, lock = site.packages, site.lock.path if site.lock else ""
    if packages.refused:
        yield packages.refused
    if names := packages.impossible:
        yield (
            f"{', '.join(names)} in {lock}: there is no wheel for Lambda's Linux on "
            f"{ARCHITECTURE}, Python {site.python_version}, and its source is not pure "
            "Python. Replace it by a package that has one"
            + (
                " (psycopg2 by psycopg[binary] or psycopg2-binary)."
                if "psycopg2" in names
                else ", or build and publish a wheel."
            )
        )
    if packages.size.is_too_large:
        yield (
            f"The dependencies in {lock} have {packages.size}. Remove what production "
            "does not need, or replace it by something smaller."
        )


def _dependency(site: Site) -> Iterator[str]:
    if not site.lock:
        yield (
            "No file with the site's dependencies was found (uv.lock, poetry.lock, "
            "Pipfile.lock, requirements*.txt, pyproject.toml), so nothing could be "
            f"packaged. Write a requirements.txt with Django and {DISTRIBUTION} in it."
        )
    elif not site.lock.has(DISTRIBUTION):
        yield (
            f"{DISTRIBUTION} is not in {site.lock.path}. {site.lock.command('add')}."
        )
    elif INTEGRATION not in site.report["installed"]:
        yield (
            f"{DISTRIBUTION} is in {site.lock.path}, but not installed for "
            f"{site.python}. {site.lock.command('install')}."
        )


def _storages(site: Site) -> str:
    if not site.lock or "storages" in site.report["installed"]:
        return ""
    return ", for which django-storages is missing. " + site.lock.command(
        "add", "django-storages[s3]"
    )


def _at(place: str) -> str:
    return f", {place}" if place else ""
