"""Serve the site, on Lambda or as a plain WSGI application."""

import io
import sys
from abc import ABC, abstractmethod
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import unquote_to_bytes

from . import static
from .disk import make_read_only, make_writable
from .failures import Refused, describe
from .settings import isolate, require_isolated

CLIENT = "203.0.113.7"
MAX_BODY_BYTES = 6 << 20
MAX_HTML_CHARACTERS = 2_000_000
HEADERS = {
    "Accept": "text/html,application/xhtml+xml,*/*;q=0.8",
    "User-Agent": "django-on-lambda check",
}

# The site that this process serves.
_site: list["Served"] = []


class Served(ABC):
    """The site with one of its settings."""

    def __init__(self, host: str, prefix: str) -> None:
        from django.conf import settings
        from django.core.signals import got_request_exception

        self.host = host
        self.prefix = prefix
        self.exception = ""
        got_request_exception.connect(self.keep_exception, weak=False)
        self.facts: dict[str, Any] = {
            "allowed_hosts": list(settings.ALLOWED_HOSTS),
            "host": host,
            "media_url": str(vars(settings)["_wrapped"].MEDIA_URL),
            "prefix": prefix,
            # ``settings.STATIC_URL`` would start with a script prefix.
            "static_url": str(vars(settings)["_wrapped"].STATIC_URL or ""),
        }

    def keep_exception(self, **kwargs: Any) -> None:
        """Keep the exception of a view for the answer."""
        if error := sys.exception():
            self.exception = describe(error)

    def get(self, target: str, cookie: str) -> dict[str, Any]:
        """Return the response to a GET request."""
        self.exception = fault = ""
        headers = HEADERS | ({"Cookie": cookie} if cookie else {})
        try:
            status, pairs, body, fault = self.request(target, headers)
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            return answer(500, [], b"", describe(error), "")
        return answer(status, pairs, body, self.exception, fault)

    @abstractmethod
    def request(
        self, target: str, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes, str]:
        """Return status, headers, body, and the fault of the event source or ""."""


def answer(
    status: int, headers: list[tuple[str, str]], body: bytes, error: str, fault: str
) -> dict[str, Any]:
    """Return what a comparison needs of a response."""
    values = {name.lower(): value for name, value in headers}
    content_type = values.get("content-type", "")
    html = "html" in content_type and body[:MAX_HTML_CHARACTERS].decode(
        errors="replace"
    )
    return {
        "status": status,
        "location": values.get("location", ""),
        "content_type": content_type,
        "html": html or "",
        "error": error,
        "fault": fault,
    }


class LambdaSite(Served):
    """The handler in lambda_entry.py behind a model of an event source."""

    def __init__(self, event_source: str, host: str, prefix: str) -> None:
        self.handler = import_entry().http
        # Its package imports Django, which the entry must do first.
        from ....test.event_sources import EVENT_SOURCES

        source = EVENT_SOURCES[event_source]
        self.source = replace(source, host=host, prefix=prefix)
        super().__init__(host, prefix)

    def request(
        self, target: str, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes, str]:
        from ....test.context import LambdaContext
        from ....test.wire import Request

        sent = {"Host": self.host, **headers}
        request = Request("GET", self.prefix + target, tuple(sent.items()))
        response = self.source.send(self.handler, request, LambdaContext())
        return response.status, list(response.headers), response.body, response.fault


def import_entry() -> Any:
    """Import lambda_entry as Lambda does. Raises Refused without a web handler."""
    try:
        entry = import_module("lambda_entry")
    except ModuleNotFoundError as error:
        if error.name != "lambda_entry":
            raise
        raise Refused(
            "lambda_entry.py does not exist beside django-on-lambda.toml. Run: "
            "django-on-lambda adopt"
        ) from None
    if not callable(getattr(entry, "http", None)):
        raise Refused(
            "lambda_entry.py has no handler `http`, which Lambda calls for web "
            "requests. Add: http = handlers.http()"
        )
    return entry


class PlainSite(Served):
    """The site's own WSGI application, as behind another web server."""

    def __init__(self) -> None:
        import django
        from django.conf import settings
        from django.core.servers.basehttp import get_internal_wsgi_application

        # As in production: with it a site has a welcome page and a developer's URLs.
        settings.DEBUG = False
        django.setup()
        self.application = get_internal_wsgi_application()
        names = [host.lstrip(".") for host in settings.ALLOWED_HOSTS if host]
        if not names:
            # Its environment sets them on a server.
            settings.ALLOWED_HOSTS = ["localhost"]
        host = next((name for name in names if name != "*"), "localhost")
        self.proxy_header = settings.SECURE_PROXY_SSL_HEADER
        super().__init__(host, "")

    def request(
        self, target: str, headers: dict[str, str]
    ) -> tuple[int, list[tuple[str, str]], bytes, str]:
        path, _, query = target.partition("?")
        started: list[Any] = []

        def start_response(status: str, headers: list[Any], *error: Any) -> Any:
            started[:] = [int(status.split()[0]), headers]
            return lambda data: None

        parts = self.application(self.environ(path, query, headers), start_response)
        body = bytearray()
        try:
            for part in parts:
                body += part
                if len(body) > MAX_BODY_BYTES:
                    break
        finally:
            close = getattr(parts, "close", None)
            if close:
                close()
        status, pairs = started
        if status == 404 and self.is_static_file(path):
            return 200, [], b"", ""
        return status, pairs, bytes(body), ""

    def environ(self, path: str, query: str, headers: dict[str, str]) -> dict[str, Any]:
        """Return the environ of a request that arrived by HTTPS."""
        names = {f"HTTP_{n.upper().replace('-', '_')}": v for n, v in headers.items()}
        if self.proxy_header:
            name, value = self.proxy_header
            names[name] = value
        return {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": CLIENT,
            "SERVER_NAME": self.host,
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": self.host,
            "HTTP_X_FORWARDED_FOR": CLIENT,
            **names,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    def is_static_file(self, path: str) -> bool:
        """Return whether a web server in front of the site would serve a path."""
        url = "/" + self.facts["static_url"].lstrip("/")
        return path.startswith(url) and static.exists(
            unquote_to_bytes(path.removeprefix(url)).decode(errors="replace")
        )


def start_plain(settings: str, data: str, static: str) -> dict[str, Any]:
    """Serve the site without Lambda, and return facts about it."""
    module = import_module(settings)
    if not getattr(module, "SECRET_KEY", ""):
        # The settings for Lambda have their own, where those of production have none.
        vars(module)["SECRET_KEY"] = token_urlsafe()
    isolate(settings, data, static)
    _site[:] = [PlainSite()]
    require_isolated(settings, data)
    return _site[0].facts


def start_lambda(
    settings: str, data: str, static: str, event_source: str, host: str, prefix: str
) -> dict[str, Any]:
    """Serve the site on Lambda, and return facts about it."""
    # Lambda imports the settings when its disk is read-only already.
    make_read_only(Path.cwd())
    isolate(settings, data, static)
    if media := getattr(import_module(settings), "MEDIA_ROOT", ""):
        # Uploads are in a bucket there.
        make_writable(Path(media))
    _site[:] = [LambdaSite(event_source, host, prefix)]
    require_isolated(settings, data)
    return _site[0].facts


def get(target: str, cookie: str = "") -> dict[str, Any]:
    """Return the response to a GET request for a path of the site."""
    return _site[0].get(target, cookie)


def log_in(user: str) -> str:
    """Open a session for a user by its primary key, and return the Cookie header."""
    from django.contrib.auth import get_user_model
    from django.test import Client

    model: Any = get_user_model()
    client = Client()
    client.force_login(model._default_manager.get(pk=user))
    return "; ".join(f"{m.key}={m.coded_value}" for m in client.cookies.values())
