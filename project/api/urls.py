"""The paths of the API. A view is imported when it is called, and not by a page."""

from collections.abc import Callable
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

DOCUMENT = Path(__file__).with_name("openapi.json")


def openapi(request: HttpRequest) -> HttpResponse:
    """Send the OpenAPI document."""
    return HttpResponse(DOCUMENT.read_bytes(), content_type="application/json")


def lazily(name: str) -> Callable[..., HttpResponseBase]:
    """Return a view that imports the one with this dotted name."""

    # An answer is for one user: without the header, a CDN may keep it for others.
    @never_cache
    # The framework checks the token for those who are logged in by their session.
    @csrf_exempt
    def view(request: HttpRequest, **kwargs: object) -> HttpResponseBase:
        response: HttpResponseBase = import_string(name)(request, **kwargs)
        return response

    view.dotted_name = name  # type: ignore[attr-defined]
    return view


DOCUMENTS = "apps.documents.api.views"
UPLOADS = "project.api.uploads"

app_name = "api"

urlpatterns = [
    path("openapi.json", openapi, name="openapi"),
    path("documents", lazily(f"{DOCUMENTS}.collection"), name="documents"),
    path("documents/<int:pk>", lazily(f"{DOCUMENTS}.member"), name="document"),
    path("documents/<int:pk>/file", lazily(f"{DOCUMENTS}.file"), name="file"),
    path("uploads", lazily(f"{UPLOADS}.start"), name="uploads"),
    path("uploads/<str:token>", lazily(f"{UPLOADS}.one"), name="upload"),
    path("uploads/<str:token>/sign", lazily(f"{UPLOADS}.sign"), name="sign"),
    path("uploads/<str:token>/finish", lazily(f"{UPLOADS}.finish"), name="finish"),
]
