"""Health checks without a valid Host header."""

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import Resolver404, resolve

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HealthMiddleware:
    """
    Call the health views before other middleware processes the request.

    Health checks of load balancers have an IP address as Host, or none, and use plain
    HTTP: host validation would respond with 400, and SECURE_SSL_REDIRECT with 301.
    Place it after the middleware that logs requests and handles exceptions.
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
