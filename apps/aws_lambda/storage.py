"""
Storages whose URLs start with the script prefix of the current request.

One process may serve the site under several prefixes ("/dev" through a REST API, none
through an HTTP API), but Django adds the prefix of the first request that reads them
to STATIC_URL and MEDIA_URL, and keeps the result.
"""

from django.conf import settings
from django.core.files.storage import FileSystemStorage
from django.urls import get_script_prefix
from whitenoise.storage import CompressedManifestStaticFilesStorage


def url_setting(name: str) -> str:
    """
    Return STATIC_URL or MEDIA_URL for the current request.

    As in Django, a relative URL ("static/") is below the script prefix. One that
    starts with a slash or a scheme is returned as it is.
    """
    # ``settings.STATIC_URL`` would have the prefix of the first request.
    url: str = getattr(settings._wrapped, name)  # type: ignore[misc]
    if url.startswith(("/", "http://", "https://")):
        return url
    return get_script_prefix() + url


class PrefixedStaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Serve static files with hashed names, below the prefix of the request."""

    @property
    def base_url(self) -> str:
        return url_setting("STATIC_URL")


class PrefixedFileSystemStorage(FileSystemStorage):
    """Keep media files in MEDIA_ROOT, with URLs below the prefix of the request."""

    @property
    def base_url(self) -> str:
        return url_setting("MEDIA_URL")
