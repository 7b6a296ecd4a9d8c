"""The site's handler, with views that tell what is left of the init phase."""

# Sets Django up, before URLs can be imported.
import lambda_entry  # isort: split

import sys

from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template import Engine
from django.template.loaders.cached import Loader
from django.urls import path

from project.urls import urlpatterns


def templates() -> list[str]:
    """Return the names of the templates that are compiled and kept."""
    [loader] = Engine.get_default().template_loaders
    assert isinstance(loader, Loader)
    return [
        kept.origin.template_name
        for kept in loader.get_template_cache.values()
        if hasattr(kept, "origin")  # others are of names that were not found
    ]


def since_init(request: HttpRequest) -> JsonResponse:
    """Tell which modules and templates the requests until now have loaded."""
    return JsonResponse(
        {
            "modules": sorted(set(sys.modules) - MODULES),
            "templates": sorted(set(templates()) - TEMPLATES),
        }
    )


def at_init(request: HttpRequest) -> JsonResponse:
    """Tell which templates the init phase has loaded."""
    return JsonResponse({"templates": sorted(TEMPLATES)})


def backend(request: HttpRequest) -> HttpResponse:
    """Return the process ID of the server's end of our connection."""
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
