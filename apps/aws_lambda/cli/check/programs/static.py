"""Collect the site's static files, and find them again."""

import re
from pathlib import Path
from typing import Any

from .failures import Refused, describe

# As ManifestStaticFilesStorage inserts it before the suffix.
HASH = re.compile(r"\.[0-9a-f]{8,32}(?=\.[^./]+$|$)")


def collect_static() -> dict[str, Any]:
    """
    Collect the static files into STATIC_ROOT, and return their number.

    ``elsewhere`` is the storage if it is not a folder: nothing is collected then.
    Raises Refused with the reason if a file cannot be collected.
    """
    import django
    from django.apps import apps
    from django.conf import settings
    from django.contrib.staticfiles.storage import staticfiles_storage
    from django.core.files.storage import FileSystemStorage
    from django.core.management import call_command

    django.setup()
    if not apps.is_installed("django.contrib.staticfiles"):
        return {"files": 0, "elsewhere": "no app: django.contrib.staticfiles is absent"}
    if "staticfiles" not in settings.STORAGES:
        raise Refused(
            "STORAGES has no 'staticfiles', so that Django serves no static file: "
            'add "staticfiles": {"BACKEND": '
            '"django.contrib.staticfiles.storage.StaticFilesStorage"}.'
        )
    # A lazy object, whose class is the storage's.
    storage: Any = staticfiles_storage
    if not isinstance(storage, FileSystemStorage):
        kind = storage.__class__
        return {"files": 0, "elsewhere": f"{kind.__module__}.{kind.__qualname__}"}
    try:
        call_command("collectstatic", interactive=False, verbosity=0)
    except Exception as error:
        raise Refused(
            f"collectstatic failed: {describe(error)}. Correct the static file, or "
            "choose another storage in STORAGES['staticfiles']."
        ) from None
    root = Path(storage.location)
    files = sum(path.is_file() for path in root.rglob("*"))
    return {"files": files, "elsewhere": ""}


def exists(path: str) -> bool:
    """
    Return whether a web server in front of the site has a static file.

    ``path`` is relative to STATIC_URL. The name may have a hash that only collected
    files have.
    """
    from django.apps import apps
    from django.conf import settings
    from django.contrib.staticfiles.finders import find
    from django.core.exceptions import SuspiciousOperation

    if not apps.is_installed("django.contrib.staticfiles") or not path:
        return False
    root = Path(settings.STATIC_ROOT or "/nonexistent").resolve()
    file = (root / path).resolve()
    if file.is_relative_to(root) and file.is_file():
        return True
    try:
        return any(find(name) for name in (path, HASH.sub("", path)))
    except SuspiciousOperation:
        return False


def example() -> str:
    """Return the URL of one collected file, a style sheet if there is one, or ""."""
    from django.apps import apps
    from django.conf import settings

    if not apps.is_installed("django.contrib.staticfiles"):
        return ""
    from django.contrib.staticfiles.storage import staticfiles_storage

    storage: Any = staticfiles_storage
    root = Path(settings.STATIC_ROOT or "/nonexistent")
    # Of a manifest storage: the original names.
    names = sorted(getattr(storage, "hashed_files", {})) or sorted(
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()
    )
    sheets = [name for name in names if name.endswith(".css")]
    for name in (sheets or names)[:1]:
        return str(storage.url(name))
    return ""
