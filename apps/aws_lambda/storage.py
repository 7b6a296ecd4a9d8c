"""
Storages whose URLs follow the prefix of the current request.

One process may serve the same site under several prefixes ("/dev" through a
REST API, none through an HTTP API), but Django fixes STATIC_URL and MEDIA_URL
when they are first read.
"""

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.urls import get_script_prefix
from whitenoise.storage import CompressedManifestStaticFilesStorage


def under_script_prefix(url: str) -> str:
    """Return a URL path below the current script prefix; a full URL unchanged."""
    return get_script_prefix() + url[1:] if url.startswith("/") else url


class PrefixedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Serve static files with hashed names, below the prefix of the request."""

    @property
    def base_url(self) -> str:
        return under_script_prefix(settings.STATIC_URL)


class PrefixedFileSystemStorage(FileSystemStorage):
    """Keep media files in MEDIA_ROOT, with URLs below the prefix of the request."""

    @property
    def base_url(self) -> str:
        return under_script_prefix(settings.MEDIA_URL)
