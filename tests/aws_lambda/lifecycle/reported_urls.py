"""Views that raise an exception at the place that is in their path."""

import sys
import time
from collections.abc import Callable, Iterator

from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.urls import path

SECRET = "hunter2"

signals: list[str] = []


def fail(where: object = "view") -> None:
    password = SECRET
    raise RuntimeError(f"raised in {where}, {len(password)} characters")


def stream() -> Iterator[bytes]:
    yield b"half"
    fail("stream")


def in_signal(sender: object, **kwargs: object) -> None:
    if signals:
        fail(signals.pop())


request_started.connect(in_signal)
request_finished.connect(in_signal)


class Unclosable(HttpResponse):
    def close(self) -> None:
        super().close()
        fail("close")


def view(request: HttpRequest, where: str) -> HttpResponse | StreamingHttpResponse:
    match where:
        case "stream":
            return StreamingHttpResponse(stream())
        case "close":
            return Unclosable("x")
        case "template":
            template = engines["django"].from_string("{{ fail }}")
            return HttpResponse(template.render({"fail": fail}))
        case "signal":
            signals.append("signal")
        case "exit":
            sys.exit(3)
        case "deadline":
            time.sleep(60)
        case "view":
            fail()
    return HttpResponse("fine")


def failing_middleware(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.path == "/raise/middleware/":
            fail("middleware")
        return response

    return middleware


urlpatterns = [path("raise/<str:where>/", view)]

handler500 = "apps.aws_lambda.views.server_error"
