"""Static files: where they are, hashed names, and URLs that include the stage."""

import os
from collections.abc import Iterator
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning
from django.core.files.storage import FileSystemStorage
from django.utils.functional import cached_property

from .. import conf
from .lookup import is_subclass, load

# How long an old file may be used.
STALE_SECONDS = 600
# The package's own name, under which it may have been copied.
PREFIXED = f"{__package__.rpartition('.')[0]}.storage.PrefixedStaticFilesStorage"


def backend() -> str | None:
    """Return the path of the static files storage, or None if it cannot be loaded."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return None
    path: str | None = settings.STORAGES.get("staticfiles", {}).get("BACKEND")
    return path if path and load(path) else None


def static_url() -> str:
    """Return STATIC_URL as the project sets it."""
    # ``settings.STATIC_URL`` starts with the script prefix of the first request.
    url: str | None = vars(settings)["_wrapped"].STATIC_URL
    return url or ""


def is_served_here() -> bool:
    """Return whether the function itself serves the static files."""
    path = backend()
    return (
        path is not None
        and is_subclass(path, FileSystemStorage)
        and not static_url().startswith(("http://", "https://", "//"))
    )


def manifest() -> Iterator[CheckMessage]:
    path = backend()
    if not path or is_subclass(path, ManifestFilesMixin):
        return
    kept = "as long as that host allows"
    if is_served_here():
        # WhiteNoise's default is 60, so that a new file is soon requested.
        seconds = getattr(settings, "WHITENOISE_MAX_AGE", 60) or 0
        if seconds <= STALE_SECONDS:
            return
        kept = f"for WHITENOISE_MAX_AGE = {seconds} seconds"
    yield CheckWarning(
        f"STORAGES['staticfiles'] is {path}, which does not hash file names: "
        f"after a deployment browsers and caches use the old files, {kept}.",
        hint=f"Use {PREFIXED}, or another manifest storage.",
        id="aws_lambda.W008",
    )


def root() -> Iterator[CheckMessage]:
    if is_served_here() and not location():
        yield CheckError(
            "STATIC_ROOT is not set: collectstatic has no folder to write to, and no "
            "static file is served.",
            hint="Set STATIC_ROOT = BASE_DIR / 'staticfiles'.",
            id="aws_lambda.E020",
        )


def manifest_file() -> Iterator[CheckMessage]:
    """
    Report a manifest storage without its manifest, where there should be one.

    On a developer's machine collectstatic has not run, as a rule: then STATIC_ROOT
    does not exist. In a package, and wherever something was collected, it does.
    """
    path, folder = backend(), location()
    if not (
        path and folder and is_served_here() and is_subclass(path, ManifestFilesMixin)
    ):
        return
    storage = load(path)
    on_lambda = "AWS_LAMBDA_FUNCTION_NAME" in os.environ
    if not storage.manifest_strict or not (on_lambda or folder.is_dir()):
        return
    if not (folder / storage.manifest_name).exists():
        yield CheckError(
            f"STORAGES['staticfiles'] is {path}, and {folder} has no "
            f"{storage.manifest_name}: every page with a static file answers 500.",
            hint="Run 'manage.py collectstatic' with these settings.",
            id="aws_lambda.E021",
        )


def location() -> Path | None:
    """Return the folder of the static files, or None."""
    options = settings.STORAGES.get("staticfiles", {}).get("OPTIONS", {})
    folder = options.get("location") or settings.STATIC_ROOT
    return Path(folder) if folder else None


def prefix() -> Iterator[CheckMessage]:
    base_path = conf.get("LAMBDA_BASE_PATH")
    url = static_url()
    # apply() is for a site at the root of its host, or below LAMBDA_BASE_PATH.
    at_root = base_path == "/" or (not base_path and conf.get("LAMBDA_CHANGES"))
    if not is_served_here() or at_root:
        return
    if url.startswith("/"):
        if base_path and url.startswith(f"{base_path}/"):
            return
        why = f"STATIC_URL is {url!r}, an absolute path"
    elif isinstance(
        getattr(load(settings.STORAGES["staticfiles"]["BACKEND"]), "base_url", None),
        cached_property,
    ):
        why = "STORAGES['staticfiles'] caches STATIC_URL of the first request"
    else:
        return
    yield CheckWarning(
        f"{why}: under a stage path ('/prod') the URLs of static files point outside "
        "the stage.",
        hint=f"Set STATIC_URL = 'static/' and use {PREFIXED}, or set LAMBDA_BASE_PATH "
        "= '/' if the site is always at the root of its host.",
        id="aws_lambda.W009",
    )
