"""Views for the tests of the middleware and the error pages."""

import logging

from django.contrib import admin
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

SECRET = "password=hunter2"

EXCEPTIONS = {
    "bad-request": BadRequest,
    "crash": RuntimeError,
    "forbidden": PermissionDenied,
    "missing": Http404,
    "suspicious": SuspiciousOperation,
}


def raise_exception(request: HttpRequest, name: str) -> HttpResponse:
    raise EXCEPTIONS[name](SECRET)


def log(request: HttpRequest) -> HttpResponse:
    logging.getLogger("another.package").warning("in the view")
    return HttpResponse()


def read_form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.POST.get("name", ""))


def set_cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse()
    response.set_cookie("everywhere", "1")
    response.set_cookie("somewhere", "1", path="/account")
    return response


urlpatterns = [
    path("raise/<name>", raise_exception),
    path("log", log),
    path("form", read_form),
    path("cookies", set_cookies),
    path("admin/", admin.site.urls),
]

handler400 = "apps.aws_lambda.views.bad_request"
handler403 = "apps.aws_lambda.views.permission_denied"
handler404 = "apps.aws_lambda.views.page_not_found"
handler500 = "apps.aws_lambda.views.server_error"
