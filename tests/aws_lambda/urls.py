"""Views that misbehave, for the tests of the middleware and the error pages."""

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


def raising(request: HttpRequest, name: str) -> HttpResponse:
    raise EXCEPTIONS[name](SECRET)


def logging_view(request: HttpRequest) -> HttpResponse:
    logging.getLogger("somebody.elses.code").warning("inside the view")
    return HttpResponse()


def reading_the_form(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.POST.get("name", ""))


def setting_cookies(request: HttpRequest) -> HttpResponse:
    response = HttpResponse()
    response.set_cookie("everywhere", "1")
    response.set_cookie("somewhere", "1", path="/account")
    return response


urlpatterns = [
    path("raise/<name>", raising),
    path("log", logging_view),
    path("form", reading_the_form),
    path("cookies", setting_cookies),
    path("admin/", admin.site.urls),
]

handler400 = "apps.aws_lambda.views.bad_request"
handler403 = "apps.aws_lambda.views.permission_denied"
handler404 = "apps.aws_lambda.views.page_not_found"
handler500 = "apps.aws_lambda.views.server_error"
