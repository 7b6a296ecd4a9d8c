"""A site that reads the scheme from X-Forwarded-Proto, as behind other proxies."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

from apps.aws_lambda.handlers import make_handler
from apps.aws_lambda.test import EVENT_SOURCES, EventSource, LambdaContext, Request
from apps.aws_lambda.test.function import keeping_connections
from tests.aws_lambda.site import buffered, get, send

ALB = ["alb_multi", "alb_single"]


def scheme(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.scheme)


urlpatterns = [path("scheme", scheme)]


@pytest.fixture(autouse=True)
def _trusts_the_header(settings: Any) -> Iterator[None]:
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["*"]
    settings.MIDDLEWARE = ["django.middleware.security.SecurityMiddleware"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    with keeping_connections():
        yield


def forged(scheme: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Host", "example.com"),
        ("X-Forwarded-Proto", scheme),
        ("x-forwarded-proto", scheme),
        ("X_Forwarded_Proto", scheme),
        ("X-Forwarded_Proto", scheme),
    )


@pytest.mark.parametrize("headers", [(), forged("http"), forged("https, http")])
def test_a_request_over_https_is_served(
    event_source: EventSource, headers: tuple[tuple[str, str], ...]
):
    response = send(event_source, WSGIHandler(), get(event_source, "/scheme", *headers))

    assert (response.status, response.body) == (200, b"https")


@pytest.mark.parametrize("name", ALB)
def test_a_client_cannot_turn_plain_http_into_https(name: str):
    request = Request("GET", "/scheme", forged("https"), scheme="http")

    response = send(EVENT_SOURCES[name], WSGIHandler(), request)

    assert response.status == 301
    assert response.values("location") == ["https://example.com/scheme"]


def test_plain_http_of_a_local_gateway_is_not_https(settings: Any):
    settings.SECURE_SSL_REDIRECT = False
    source = EVENT_SOURCES["http_default"]

    request = get(source, "/scheme", *forged("https"))
    response = send(source, WSGIHandler(), request, scheme="http")

    assert response.body == b"http"


@buffered
def test_an_event_without_the_header_has_the_scheme_of_its_event_source(
    event_source: EventSource,
):
    event = event_source.event(get(event_source, "/scheme", ("Host", "example.com")))
    for table in (event.get("headers") or {}, event.get("multiValueHeaders") or {}):
        for name in [n for n in table if n.lower() == "x-forwarded-proto"]:
            del table[name]
    handler = make_handler(WSGIHandler(), **event_source.handler_options)

    result = handler(event, LambdaContext())

    assert (result["statusCode"], result["body"]) == (200, "https")


def test_an_error_outside_the_middleware_is_not_a_redirect():
    # Base64 over the limit: the request does not reach Django.
    source = EVENT_SOURCES["http_default"]
    event = source.event(get(source, "/scheme", *forged("http")))
    event |= {"body": "A" * 6_300_000, "isBase64Encoded": True}
    event["headers"]["x-forwarded-proto"] = "http"

    result = make_handler(WSGIHandler())(event, LambdaContext())

    assert result["statusCode"] == 413
