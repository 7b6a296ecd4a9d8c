from django import get_version
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from apps.aws_lambda.invocation import request_id


@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Show what serves the request, and links to the admin and the health checks."""
    return render(
        request,
        "home.html",
        {
            "title": settings.SITE_TITLE,
            "stage": settings.STAGE,
            # None under runserver and with Django's test client.
            "event_source": request.META.get("aws_lambda.event_source"),
            "invocation": request.META.get("aws_lambda.invocation"),
            "django_version": get_version(),
            "request_id": request_id.get(),
        },
    )
