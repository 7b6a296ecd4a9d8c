"""Static files: hashed names, and URLs that include the stage."""

from collections.abc import Iterator

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.storage import ManifestFilesMixin
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.core.files.storage import FileSystemStorage
from django.utils.functional import cached_property

from .. import conf
from .lookup import is_subclass, load


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
    if path and not is_subclass(path, ManifestFilesMixin):
        yield CheckWarning(
            f"STORAGES['staticfiles'] is {path}, which does not hash file names: "
            "after a deployment browsers and caches use the old files.",
            hint="Use aws_lambda's storage.PrefixedStaticFilesStorage, or another "
            "manifest storage.",
            id="aws_lambda.W008",
        )


def prefix() -> Iterator[CheckMessage]:
    base_path = conf.get("LAMBDA_BASE_PATH")
    url = static_url()
    if not is_served_here() or base_path == "/":
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
        hint="Set STATIC_URL = 'static/' and use aws_lambda's "
        "storage.PrefixedStaticFilesStorage, or set LAMBDA_BASE_PATH = '/' if the "
        "site is always at the root of its host.",
        id="aws_lambda.W009",
    )
