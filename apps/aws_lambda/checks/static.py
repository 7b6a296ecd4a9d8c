"""Static files that are found under any prefix, and never stale."""

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
    """Return the storage of static files, or None if there is none to look at."""
    if not apps.is_installed("django.contrib.staticfiles"):
        return None
    path: str | None = settings.STORAGES.get("staticfiles", {}).get("BACKEND")
    return path if path and load(path) else None


def static_url() -> str:
    """Return STATIC_URL as the project wrote it."""
    # ``settings.STATIC_URL`` has the script prefix of whoever asked first.
    url: str | None = vars(settings)["_wrapped"].STATIC_URL
    return url or ""


def is_served_here() -> bool:
    """Do static files come through Lambda, as far as the settings say?"""
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
            f"STORAGES['staticfiles'] is {path}, which gives files no hashed names: "
            "after a deployment browsers and caches go on with the old ones.",
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
        why = "STORAGES['staticfiles'] keeps STATIC_URL as it was at the first request"
    else:
        return
    yield CheckWarning(
        f"{why}: under the stage of a gateway ('/prod') the links to static files lead "
        "outside of the stage.",
        hint="Set STATIC_URL = 'static/' and use aws_lambda's "
        "storage.PrefixedStaticFilesStorage, or set LAMBDA_BASE_PATH = '/' if the "
        "site is always at the root of its host.",
        id="aws_lambda.W009",
    )
