"""What no rule can decide: worker processes, mail, cookies, keys and paths."""

from pathlib import Path

from .mail import Server, is_remote, of_site
from .site import Site
from .variables import public_url

# Apps that need a process beside the web server, which Lambda does not run.
WORKERS = {
    "celery": "Celery",
    "django_celery_beat": "Celery",
    "django_celery_results": "Celery",
    "django_dramatiq": "Dramatiq",
    "django_q": "Django Q",
    "django_rq": "RQ",
    "huey.contrib.djhuey": "Huey",
    "procrastinate.contrib.django": "Procrastinate",
}
# Servers with connections that outlive a request.
SERVERS = ("channels", "daphne")
DEVELOPMENT = ("debug_toolbar", "django_browser_reload", "silk")
# Ignored since Django 5.1.
REMOVED = ("DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE")
# Words in the names of folders that are only read.
READ = (
    "BASE",
    "PROJECT",
    "ROOT",
    "APP",
    "CODE",
    "CONFIG",
    "FIXTURE",
    "FRONTEND",
    "LOCALE",
    "SRC",
    "STATIC",
    "TEMPLATE",
    "THEME",
)
# Backends that send no mail.
UNSENT = ("console", "dummy", "filebased", "locmem")


def advise(site: Site) -> None:
    """Report what changes nothing in the settings, and matters on Lambda."""
    for part in (databases, workers, mail, addresses, secret_key, folders, others):
        part(site)


def databases(site: Site) -> None:
    for alias, database in site.get("DATABASES").items():
        engine, name = str(database.get("ENGINE")), database.get("NAME") or ""
        # EFS is shared by all execution environments.
        on_efs = str(name).startswith("/mnt/")
        if ("sqlite" in engine or "spatialite" in engine) and not on_efs:
            site.advise(
                f"DATABASES[{alias!r}]",
                "SQLite is a file that a function cannot write to, or loses with its "
                "execution environment: use PostgreSQL or MySQL.",
                blocks=True,
            )


def workers(site: Site) -> None:
    found = {name for app, name in WORKERS.items() if site.is_installed(app)}
    if any(name.startswith("CELERY_") for name in site.namespace):
        found.add("Celery")
    for name in sorted(found):
        site.advise(
            name,
            f"No worker of {name} runs on Lambda: run it elsewhere, or use Django's "
            "tasks (docs/tasks.md) and schedules (docs/commands.md).",
        )
    for app in SERVERS:
        if site.is_installed(app):
            site.advise(
                app,
                f"{app} serves connections that outlive a request: run that part of "
                "the site on a server. WSGI does not support WebSockets.",
                blocks=True,
            )


def mail(site: Site) -> None:
    for server in of_site(site):
        if why := undelivered(server):
            other = "use an SMTP server on port 587, or an API"
            if server.is_local:
                other = f"set the parameter mailFrom, by which SES sends it, or {other}"
            site.advise(server.setting, f"{why}: {other}.")


def undelivered(server: Server) -> str:
    """Return why no mail is delivered, or "" if it may be."""
    backend = server.backend
    if any(f".{kind}." in backend for kind in UNSENT):
        return f"{backend} sends no mail"
    if "smtp" not in backend:
        return ""
    if not is_remote(server.host):
        return "Mail goes to localhost, and no mail server runs there"
    if str(server.port) == "25":
        return "Mail goes to port 25, which AWS blocks"
    return ""


def addresses(site: Site) -> None:
    url = public_url(site)
    host = str(url.hostname) if url else ""
    for name in ("SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN"):
        domain = site.get(name)
        if domain and not f".{host}".endswith(f".{domain.lstrip('.')}"):
            site.advise(
                name,
                f"It is {domain!r}, and browsers drop the cookie on any other domain, "
                f"such as {host or 'that of the API'}: no user can log in there.",
            )
    if site.get("PREPEND_WWW") and not host.startswith("www."):
        site.advise(
            "PREPEND_WWW",
            "It redirects every request to a host that starts with www., also those "
            "to the address of the API.",
        )


def secret_key(site: Site) -> None:
    key = str(site.get("SECRET_KEY") or "")
    if len(key) < 50 or key.startswith("django-insecure-"):
        site.advise(
            "SECRET_KEY",
            "It is shorter than 50 characters, or starts with django-insecure-: make "
            "a long random one, and keep it out of the code (docs/secrets.md).",
        )


def folders(site: Site) -> None:
    """Report folders that the site may write to, and that are in its code."""
    file = Path(site.namespace.get("__file__") or site.root / "settings.py").resolve()
    for name, value in sorted(site.namespace.items()):
        if (
            name.endswith(("_FOLDER", "_DIR"))
            and not any(word in name for word in READ)
            and isinstance(value, str | Path)
            and value
            and site.is_in_code(value)
            and not file.is_relative_to(site.root / value)
        ):
            site.advise(
                name,
                f"{value} is in the code, which is read-only on Lambda: if the site "
                "writes there, choose a folder below /tmp or /mnt, or S3.",
            )


def others(site: Site) -> None:
    for name in REMOVED:
        if name in site.namespace:
            site.advise(name, "Django ignores it since 5.1: move it to STORAGES.")
    for app in DEVELOPMENT:
        if site.is_installed(app):
            site.advise(
                app,
                "It is for development, and DEBUG is off: remove it from the settings "
                "that apply() is called in.",
            )
    if site.is_installed("compressor") and site.get("COMPRESS_OFFLINE"):
        site.advise(
            "COMPRESS_OFFLINE",
            "Pages need the manifest that 'manage.py compress' writes: run it after "
            "collectstatic, with the STATIC_URL of the stage.",
        )
