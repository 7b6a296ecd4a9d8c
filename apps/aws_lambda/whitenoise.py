"""
WhiteNoise's middleware, which looks at a static file when it is first requested.

The original looks at all files when it is made, in each init phase: 3,000 of them add
three quarters to the instructions of a cold start. This module needs the package
whitenoise, and only MIDDLEWARE names it.
"""

import os
from typing import Any

from django.conf import STATICFILES_STORAGE_ALIAS
from django.core.files.storage import storages
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from whitenoise import middleware
from whitenoise.responders import IsDirectoryError


class WhiteNoiseMiddleware(middleware.WhiteNoiseMiddleware):  # type: ignore[misc]
    """
    Serve the files in STATIC_ROOT as WhiteNoise does, without a scan at the start.

    Use it in place of ``whitenoise.middleware.WhiteNoiseMiddleware``, with the same
    settings and as a base class. What a request finds is kept; what it does not find
    is not, because a client could fill the memory with names.

    Other folders, such as WHITENOISE_ROOT, are scanned as in the original: their URLs
    start anywhere, and each page would be looked for on the disk. So is STATIC_ROOT
    with WHITENOISE_USE_FINDERS, or if STATIC_URL is "/".
    """

    def update_files_dictionary(self, root: str, prefix: str) -> None:
        """
        Keep a folder, whose path and URL end in a slash, to look into it later.

        One that is added later takes precedence. So nothing is looked up that could
        come after what was scanned.
        """
        is_static = prefix == self.static_prefix != "/"
        if not is_static or self.use_finders or self.files:
            super().update_files_dictionary(root, prefix)
            return
        self.directories.insert(0, (root, prefix))
        # Its URL without a slash is not below the prefix.
        if self.index_file and os.path.isfile(root + self.index_file):
            self.add_file_to_dictionary(
                prefix + self.index_file, root + self.index_file
            )
        # The scan would have it read its manifest and STATIC_URL in the init phase.
        storages[STATICFILES_STORAGE_ALIAS]

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        url = request.path_info
        if (
            url.startswith(self.static_prefix)
            and url not in self.files
            and self.directories
            and not self.autorefresh
        ):
            file = self.find_file(url)
            if file is not None:
                self.files[url] = file
        response: HttpResponseBase = super().__call__(request)
        return response

    def get_static_file(self, path: str, url: str, stat_cache: Any = None) -> Any:
        # The site's function for headers is called for files only, as by the scan.
        if stat_cache is None and not self.autorefresh and os.path.isdir(path):
            raise IsDirectoryError(path)
        return super().get_static_file(path, url, stat_cache=stat_cache)
