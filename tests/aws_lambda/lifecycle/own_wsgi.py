"""A WSGI module like those of many sites: it sets Django up and wraps Django."""

import os
from collections.abc import Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

django_application = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    environ["site.wrapped"] = True
    return django_application(environ, start_response)
