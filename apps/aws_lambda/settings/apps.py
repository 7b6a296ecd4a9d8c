"""The app and its middleware, placed by what the site has."""

from .site import INTEGRATION, Site, like

OURS = f"{INTEGRATION}.middleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
ON_REQUEST = f"{INTEGRATION}.whitenoise.WhiteNoiseMiddleware"

# Storages that serve their files from elsewhere. A storage cannot be imported while
# the settings are.
REMOTE = ("s3", "boto", "gcloud", "google", "azure", "cloudinary")
SERVERS = ("whitenoise", "servestatic")
# In the name of middleware that compresses responses.
COMPRESSORS = ("gzip", "compress", "brotli", "zstd")


def installed_app(site: Site) -> None:
    """Install the app last: the site's templates and commands win. It has no models."""
    if site.is_installed(INTEGRATION):
        return
    given = site.get("INSTALLED_APPS")
    site.change(
        "INSTALLED_APPS",
        like(given, [*given, INTEGRATION]),
        f"added {INTEGRATION}, last",
        "It has the system checks and the commands for Lambda.",
    )


def middleware(site: Site) -> None:
    """
    Put the app's middleware first.

    Before a cache, too: inside of one a cached response would have the request ID and
    the cookies of another request. The site's own error pages stay: X-Request-ID is
    on every response, and Django logs the traceback with this ID.
    """
    given = site.get("MIDDLEWARE")
    names = ["RequestIDMiddleware", "AccessLogMiddleware", "DeadlineMiddleware"]
    if compresses(site):
        names.append("CompressionMiddleware")
    if site.get("LAMBDA_ORIGIN_SECRET"):
        names.append("OriginSecretMiddleware")
    names.append("CookiePathMiddleware")
    entries, added, place = [*given], [], 0
    for name in names:
        entry = f"{OURS}.{name}"
        if entry in entries:
            place = entries.index(entry) + 1
        else:
            entries.insert(place, entry)
            added.append(name)
            place += 1
    site.change(
        "MIDDLEWARE",
        like(given, entries),
        f"added {', '.join(added)}, first",
        "Request IDs, the access log, an answer before Lambda's timeout, compressed "
        "pages unless the site has its own, and cookies that stay inside a stage.",
    )


def compresses(site: Site) -> bool:
    """Return whether the app compresses responses: unless off, or the site does."""
    own = f"{OURS}.CompressionMiddleware"
    others = [entry.lower() for entry in site.get("MIDDLEWARE") if entry != own]
    return site.get("LAMBDA_COMPRESSION") is not False and not any(
        word in entry for entry in others for word in COMPRESSORS
    )


def whitenoise(site: Site) -> None:
    """
    Serve static files with WhiteNoise if nothing else does.

    It comes right after SecurityMiddleware, wherever that is, and after
    CorsMiddleware, whose headers fonts need. An existing one is moved only if it comes
    after the sessions.
    """
    given = site.get("MIDDLEWARE")
    entries = [*given]
    present = [
        e for e in entries if "whitenoise" in e.lower() or "servestatic" in e.lower()
    ]
    if present:
        [entry] = present[:1]
        session = position(entries, "SessionMiddleware")
        if session is None or entries.index(entry) < session:
            return
        entries.remove(entry)
        what = f"moved {entry}"
        why = "Requests for static files do not need a session."
    elif serves_static_files(site):
        if "MIDDLEWARE" in site.kept:
            return
        site.require(
            "whitenoise",
            "nothing in MIDDLEWARE serves static files",
            "'django-on-lambda[static]'",
            "set STATIC_URL to the URL of the host that serves them",
        )
        entry = ON_REQUEST
        what = f"added {entry}"
        why = "No web server in front of the function serves STATIC_ROOT."
    else:
        return
    entries.insert(place(entries), entry)
    site.change("MIDDLEWARE", like(given, entries), what, why)


def static_scan(site: Site) -> None:
    """
    Replace WhiteNoise's middleware, which looks at all static files at the start.

    In its place, with the same settings and answers. A subclass of the site stays: it
    may be one of either, which the check W017 knows.
    """
    given = site.get("MIDDLEWARE")
    if WHITENOISE in given:
        entries = [ON_REQUEST if entry == WHITENOISE else entry for entry in given]
        site.change(
            "MIDDLEWARE",
            like(given, entries),
            f"replaced {WHITENOISE} by {ON_REQUEST}",
            "It looks at a static file when that is requested, not at all of them in "
            "each init phase. Its answers are the same.",
        )


def serves_static_files(site: Site) -> bool:
    """Return whether the site's static files are on its disk, below its own host."""
    storage = site.get("STORAGES").get("staticfiles", {}).get("BACKEND", "")
    url = str(site.get("STATIC_URL") or "")
    return (
        site.is_installed("django.contrib.staticfiles")
        and not url.startswith(("http://", "https://", "//"))
        # django-storages.
        and not storage.startswith("storages.")
        and not any(word in storage.lower() for word in REMOTE)
    )


def place(entries: list[str]) -> int:
    """Return the index at which WhiteNoise comes."""
    found = {
        name: index
        for name in ("Security", "Cors", "Session", "Common", "CsrfView")
        if (index := position(entries, f"{name}Middleware")) is not None
    }
    pages = [found[name] for name in ("Session", "Common", "CsrfView") if name in found]
    if found.get("Cors", 0) > min(pages, default=len(entries)):
        del found["Cors"]
    before = [found[name] for name in ("Security", "Cors") if name in found]
    if not before:
        return sum(entry.startswith(f"{OURS}.") for entry in entries)
    return max(before) + 1


def position(entries: list[str], name: str) -> int | None:
    """Return the index of the first middleware whose class has this name."""
    for index, entry in enumerate(entries):
        if entry.rpartition(".")[2] == name:
            return index
    return None
