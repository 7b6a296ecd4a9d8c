"""Django's test client, with an event source and Lambda in between."""

import re
from copy import copy
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import Client, override_settings

from .context import LambdaContext
from .event_sources import (
    EVENT_SOURCES,
    STREAMED_EVENT_SOURCES,
    Event,
    EventSource,
    Request,
    Response,
)
from .function import (
    ClientWSGIHandler,
    Function,
    WSGIApplication,
    keeping_connections,
    read_request,
)

SAFE_IN_TARGET = "!#$%&'()*+,/:;=?@[]~-._"


class LambdaResponse(HttpResponse):
    """
    A response as the client of an event source receives it.

    ``fault`` is the reason why the event source rejected the function's result, such
    as "statusCode is '200'", or "" if it did not. ``chunks`` are the parts in which
    a streamed body was sent, and ``cut`` is the type of what has cut it, such as
    "Application.Failed", or "".
    """

    fault: str = ""
    chunks: tuple[bytes, ...] = ()
    cut: str = ""

    @property
    def url(self) -> str:
        """Return the target of a redirect, as Django's redirect responses do."""
        if "Location" not in self.headers:
            raise AttributeError("This response is not a redirect.")
        return str(self.headers["Location"])


def named(name: str) -> EventSource:
    """Return an event source by its name. Raises ValueError for an unknown one."""
    sources = EVENT_SOURCES | STREAMED_EVENT_SOURCES
    if name not in sources:
        raise ValueError(
            f"{name!r} is not an event source. LambdaClient() takes one of: "
            f"{', '.join(sources)}."
        )
    return sources[name]


class LambdaClient(Client):
    """
    Test a site through API Gateway, a function URL or a load balancer.

    The event source turns each request into an event, the Lambda handler turns the
    event into a result, and the event source turns the result into the response.
    ``event_source`` is an EventSource or a key of ``EVENT_SOURCES`` or of
    ``STREAMED_EVENT_SOURCES``. Everything else
    works as in Django's client: cookies, ``login()``, ``follow=True``,
    ``response.context``, ``raise_request_exception``.

    Paths are those of the application, such as ``/admin/``. The client adds the
    event source's public prefix to a path that does not start with it, except to the
    path of a redirect: ``follow=True`` and ``assertRedirects`` request what a browser
    would. Every request uses HTTPS. During a request, the event source's host is an
    allowed host.

    A redirect to another host leaves the event source: following it raises ValueError,
    also if ALLOWED_HOSTS has that host. Its own hosts are ``event_source.host`` and the
    Host header of the request. As in Django's client, the host of a URL that a test
    requests itself is ignored.

    ``application`` is any WSGI application around Django, such as
    ``project.wsgi.application``. The default is a WSGIHandler, created at the first
    request. An application of your own always enforces CSRF checks.

    ``last_event`` and ``last_result`` are the event and the result of the latest
    request. Raises ValueError for an unknown name of an event source.
    """

    def __init__(
        self,
        event_source: str | EventSource = "rest_stage",
        application: WSGIApplication | None = None,
        enforce_csrf_checks: bool = False,
        raise_request_exception: bool = True,
        **defaults: Any,
    ) -> None:
        super().__init__(enforce_csrf_checks, raise_request_exception, **defaults)
        self.event_source = (
            event_source
            if isinstance(event_source, EventSource)
            else named(event_source)
        )
        self.application = application
        self.enforce_csrf_checks = enforce_csrf_checks
        self.last_event: Event = {}
        self.last_result: Any = None
        # The public path of a redirect, or its URL if that is on another host, by the
        # path that Django's client makes of it.
        self.redirects: dict[str, str] = {}
        # Django's client calls it with an environ and expects a response.
        self.handler = self.handle  # type: ignore[assignment]

    @cached_property
    def function(self) -> Function:
        """Return the application behind a Lambda handler."""
        application = self.application or ClientWSGIHandler(self.enforce_csrf_checks)
        return Function(application, self.event_source)

    def generic(self, method: str, path: Any, *args: Any, **kwargs: Any) -> Any:
        """Send a request to a path, with or without the public prefix."""
        parsed = urlsplit(str(path))
        public, prefix = parsed.path, self.event_source.prefix
        if public in self.redirects:
            public = self.redirects[public]
            if not public.startswith("/"):
                raise ValueError(
                    f"A redirect to {public} is not followed, because the event source "
                    f"{self.event_source.name!r} serves {self.event_source.host} only. "
                    "Test it with follow=False and fetch_redirect_response=False, or "
                    "use an event source with that host (docs/adopt.md#tests)."
                )
        elif public != prefix and not public.startswith(f"{prefix}/"):
            public = prefix + public
        if public == prefix:
            public += "/"
        below = public.startswith(f"{prefix}/")
        parsed = parsed._replace(path=public.removeprefix(prefix) if below else public)
        # PATH_INFO no longer shows which slashes were escaped.
        kwargs["aws_lambda.public_path"] = quote(public, safe=SAFE_IN_TARGET)
        return super().generic(method, parsed.geturl(), *args, **kwargs)

    def request(self, **request: Any) -> Any:
        """Return the response, whose ``client`` follows its redirect as a browser."""
        response = super().request(**request)
        redirects = {}
        if location := response.headers.get("Location"):
            hosts = {self.event_source.host}
            hosts |= {
                sent["HTTP_HOST"]
                for sent in (self.defaults, request)
                if "HTTP_HOST" in sent
            }
            target = redirect_target(
                location, public_path(request, self.event_source), hosts
            )
            # What Django's assertRedirects and its client make of it.
            parts = urlsplit(location)
            for path in (parts.path, parts.path or ("/" if parts.netloc else "")):
                requested = urljoin(request.get("PATH_INFO", "/"), path)
                redirects[requested or "/"] = target
        if redirects != self.redirects:
            response.client = copy(self)
            response.client.redirects = redirects
        return response

    def _follow_redirect(self, response: Any, **kwargs: Any) -> Any:
        # django-stubs does not have the method.
        client: Any = super(LambdaClient, response.client)
        return client._follow_redirect(response, **kwargs)

    def _base_environ(self, **request: Any) -> dict[str, Any]:
        """Return Django's environ, with the cookies for this path only."""
        environ: dict[str, Any] = super()._base_environ(**request)  # type: ignore[misc]
        if "HTTP_COOKIE" not in request and "HTTP_COOKIE" not in self.defaults:
            path = unquote(public_path(environ, self.event_source))
            environ["HTTP_COOKIE"] = "; ".join(
                f"{morsel.key}={morsel.coded_value}"
                for morsel in self.cookies.values()
                if path_matches(path, morsel["path"] or "/")
            )
        return environ

    def handle(self, environ: dict[str, Any]) -> HttpResponseBase:
        """Return the response to a request that passes through the event source."""
        allowed = [*settings.ALLOWED_HOSTS, self.event_source.host]
        function = self.function
        try:
            with override_settings(ALLOWED_HOSTS=allowed), keeping_connections():
                response = self.event_source.send(
                    function, wire_request(environ, self.event_source), LambdaContext()
                )
        finally:
            self.last_event, self.last_result = function.event, function.result
        django_response: Any = as_django(response)
        django_response.wsgi_request = function.request or read_request(environ)
        return django_response  # type: ignore[no-any-return]


def redirect_target(location: str, public_path: str, own_hosts: set[str]) -> str:
    """Return the path that a browser requests, or the URL if it is on another host."""
    # A browser reads backslashes as slashes, and a host after two or more of them.
    location = re.sub(r"^[/\\]{2,}", "//", location)
    url = urlsplit(urljoin(f"https://{min(own_hosts)}{public_path}", location))
    default_port = {"https": ":443", "http": ":80"}.get(url.scheme)
    host = url.netloc.rpartition("@")[2].lower()
    if default_port and host.removesuffix(default_port) in map(str.lower, own_hosts):
        return url.path or "/"
    return url.geturl()


def public_path(environ: dict[str, Any], event_source: EventSource) -> str:
    """Return the escaped path that the client requests from the event source."""
    path: str | None = environ.get("aws_lambda.public_path")
    if path is None:
        path = event_source.prefix + quote(environ["PATH_INFO"], encoding="latin-1")
    return path


def path_matches(path: str, cookie_path: str) -> bool:
    """Return whether a cookie matches a path (RFC 6265, section 5.1.4)."""
    below = cookie_path if cookie_path.endswith("/") else f"{cookie_path}/"
    return path == cookie_path or path.startswith(below)


def wire_request(environ: dict[str, Any], event_source: EventSource) -> Request:
    """Return the HTTP request that a client sends for this WSGI environ."""
    path = public_path(environ, event_source)
    query = quote(
        environ.get("QUERY_STRING", ""), safe=SAFE_IN_TARGET, encoding="latin-1"
    )
    headers = [
        (name.removeprefix("HTTP_").replace("_", "-").title(), str(value))
        for name, value in environ.items()
        if (name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH"))
        and value not in ("", None)
    ]
    length = environ.get("CONTENT_LENGTH")
    return Request(
        environ["REQUEST_METHOD"],
        path + (f"?{query}" if query else ""),
        tuple(headers),
        environ["wsgi.input"].read() if length else b"",
        environ["REMOTE_ADDR"],
    )


def as_django(response: Response) -> LambdaResponse:
    """Return an HTTP response as a response of Django."""
    django_response = LambdaResponse(response.body, status=response.status)
    del django_response.headers["Content-Type"]
    for name, value in response.headers:
        if name.lower() == "set-cookie":
            django_response.cookies.load(value)
        elif name in django_response.headers:
            django_response.headers[name] += f", {value}"
        else:
            django_response.headers[name] = value
    django_response.fault = response.fault
    django_response.chunks, django_response.cut = response.chunks, response.cut
    return django_response
