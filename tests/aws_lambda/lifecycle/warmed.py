"""The site's handler, with views that return what the init phase has loaded."""

# Sets up Django, before URLs can be imported.
import lambda_entry  # isort: split

import sys

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Engine
from django.template.loaders.cached import Loader
from django.urls import path

from project.urls import urlpatterns


def templates() -> list[str]:
    """Return the names of the templates in the cache of the loader."""
    [loader] = Engine.get_default().template_loaders
    assert isinstance(loader, Loader)
    return [
        kept.origin.template_name
        for kept in loader.get_template_cache.values()
        if hasattr(kept, "origin")  # the others are names that were not found
    ]


def since_init(request: HttpRequest) -> JsonResponse:
    """Return the modules and templates loaded since the init phase."""
    return JsonResponse(
        {
            "modules": sorted(set(sys.modules) - MODULES),
            "templates": sorted(set(templates()) - TEMPLATES),
        }
    )


def at_init(request: HttpRequest) -> JsonResponse:
    """Return the templates that the init phase has loaded."""
    return JsonResponse({"templates": sorted(TEMPLATES)})


def backend(request: HttpRequest) -> HttpResponse:
    """Return the process ID of the backend that serves the connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return HttpResponse(cursor.fetchone()[0])


urlpatterns += [
    path("at-init/", at_init),
    path("since-init/", since_init),
    path("backend/", backend),
]

http = lambda_entry.http

MODULES = set(sys.modules)
TEMPLATES = set(templates())
