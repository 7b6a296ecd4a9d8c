"""Health checks that need no valid Host header."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HealthMiddleware:
    """
    Answer the health views before any other middleware looks at the request.

    A load balancer's check carries its own address as Host, or no Host at all,
    and comes over plain HTTP: host validation would answer 400 and
    SECURE_SSL_REDIRECT would answer 301. Place it right after the middleware
    that gives the request its ID.
    """

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "/health/" in request.path_info:
            try:
                match = resolve(request.path_info)
            except Resolver404:
                pass
            else:
                if match.namespace == "health":
                    request.resolver_match = match
                    response: HttpResponseBase = match.func(request)
                    return response
        return self.get_response(request)
