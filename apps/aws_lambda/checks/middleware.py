"""Middleware: what is missing, and what is in the wrong order."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Warning as CheckWarning
from django.urls import get_resolver

from .. import conf
from ..middleware import (
    CookiePathMiddleware,
    ExceptionMiddleware,
    OriginSecretMiddleware,
    RequestIDMiddleware,
)
from . import lookup
from .static import is_served_here, location

REQUEST_ID = lookup.dotted_name(RequestIDMiddleware)
EXCEPTION = lookup.dotted_name(ExceptionMiddleware)
ORIGIN_SECRET = lookup.dotted_name(OriginSecretMiddleware)
COOKIE_PATH = lookup.dotted_name(CookiePathMiddleware)
VIEWS = f"{__package__.rpartition('.')[0]}.views"
CONDITIONAL = "django.middleware.http.ConditionalGetMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
# Its module needs WhiteNoise, which not every site has.
ON_REQUEST = f"{__package__.rpartition('.')[0]}.whitenoise.WhiteNoiseMiddleware"

# First, second, and the effect if the second comes before the first.
ORDER = (
    (
        SECURITY,
        WHITENOISE,
        "static files skip the redirect to HTTPS and the security headers",
    ),
    (
        WHITENOISE,
        SESSION,
        "requests for static files pass through middleware that only pages need",
    ),
    (
        WHITENOISE,
        COMMON,
        "requests for static files pass through middleware that only pages need",
    ),
    (
        WHITENOISE,
        CSRF,
        "requests for static files pass through middleware that only pages need",
    ),
    (ORIGIN_SECRET, WHITENOISE, "static files are served to any client"),
    (CORS, WHITENOISE, "static files, such as fonts, have no CORS headers"),
    (
        GZIP,
        CONDITIONAL,
        "compressed responses have random bytes, so each has another ETag",
    ),
    (CORS, COMMON, "redirects have no CORS headers"),
    (COOKIE_PATH, SESSION, "it does not see the session cookie"),
    (COOKIE_PATH, CSRF, "it does not see the CSRF cookie"),
    (COOKIE_PATH, MESSAGES, "it does not see the messages cookie"),
)

PLACES = (
    "The order is: RequestID, AccessLog, Tracing, Deadline, Compression, Exception, "
    "OriginSecret, Cors, Security, WhiteNoise, CookiePath, Session, Common, Csrf, "
    "Messages. "
    "Middleware that handles exceptions itself comes after Exception."
)


def order() -> Iterator[CheckMessage]:
    entries = list(lookup.middleware())

    def position(name: str) -> int | None:
        return next((i for i, (_, names) in enumerate(entries) if name in names), None)

    if position(REQUEST_ID):
        yield misplaced(
            f"{REQUEST_ID} is not first: log records and responses of earlier "
            "middleware have no request ID."
        )
    security, whitenoise = position(SECURITY), position(WHITENOISE)
    # Where WhiteNoise's documentation has it. The place of the first is the site's.
    settled = whitenoise is not None and whitenoise - 1 == security
    for first, second, effect in ORDER:
        before, after = position(first), position(second)
        if first == WHITENOISE and settled:
            continue
        if before is not None and after is not None and before > after:
            # As MIDDLEWARE has them: each may be a subclass.
            paths = entries[before][0], entries[after][0]
            yield misplaced(f"{paths[0]} comes after {paths[1]}: {effect}.")
    for path, _ in entries[: position(EXCEPTION)] if position(EXCEPTION) else ():
        if hasattr(lookup.load(path), "process_exception"):
            yield misplaced(
                f"{EXCEPTION} comes after {path}: Django starts with the last one, so "
                f"process_exception() of {path} is never called."
            )


def misplaced(message: str) -> CheckMessage:
    return CheckWarning(
        f"MIDDLEWARE: {message}",
        hint=f"Move it. {PLACES}",
        id="aws_lambda.W011",
    )


def missing() -> Iterator[CheckMessage]:
    for name, needed, effect in (
        (REQUEST_ID, True, "responses and log records have no request ID in common"),
        (EXCEPTION, has_error_views(), "errors of views do not use its error views"),
        (COOKIE_PATH, cookies_need_a_path(), "stages on the same host share cookies"),
        (
            ON_REQUEST,
            is_served_here() and not lookup.has_middleware(WHITENOISE),
            "nothing serves static files",
        ),
    ):
        if needed and not lookup.has_middleware(name):
            yield CheckWarning(
                f"MIDDLEWARE does not contain {name}: {effect}.",
                hint=f"Add it. {PLACES}",
                id="aws_lambda.W010",
            )


def static_scan() -> Iterator[CheckMessage]:
    """Report WhiteNoise's middleware that looks at all static files at the start."""
    if not (is_served_here() or location()):
        return
    for path, names in lookup.middleware():
        if WHITENOISE in names and ON_REQUEST not in names:
            what = "has" if path == WHITENOISE else f"has {path}, a subclass of"
            yield CheckWarning(
                f"MIDDLEWARE {what} {WHITENOISE}, which looks at every file in "
                "STATIC_ROOT in each init phase: a cold start takes longer with each "
                "file.",
                hint=f"Use {ON_REQUEST} in its place, which looks at a file when it is "
                "requested.",
                id="aws_lambda.W017",
            )


def cookies_need_a_path() -> bool:
    """Return whether browsers send a cookie to other stages on the same host."""
    return conf.get("LAMBDA_BASE_PATH") != "/" and any(
        lookup.has_middleware(user)
        and getattr(settings, f"{cookie}_COOKIE_PATH") == "/"
        # Browsers accept such a cookie with Path=/ only.
        and not getattr(settings, f"{cookie}_COOKIE_NAME").startswith("__Host-")
        for cookie, user in (("SESSION", SESSION), ("CSRF", CSRF))
    )


def has_error_views() -> bool:
    """Return whether the URLconf has an error view of this app."""
    return any(
        getattr(view, "__module__", str(view).rpartition(".")[0]) == VIEWS
        for view in error_handlers().values()
    )


def error_handlers() -> dict[str, Any]:
    """Return the error views of the URLconf by their names; None if it has none."""
    if not getattr(settings, "ROOT_URLCONF", None):
        return {}
    urlconf = get_resolver().urlconf_module
    names = [f"handler{status}" for status in (400, 403, 404, 500)]
    return {name: getattr(urlconf, name, None) for name in names}


def error_views() -> Iterator[CheckMessage]:
    """Report error pages of two kinds: some of this app, and some of Django."""
    if not lookup.has_middleware(EXCEPTION):
        return
    absent = [
        f"{name} in {settings.ROOT_URLCONF}"
        for name, view in error_handlers().items()
        if view is None
    ]
    if settings.CSRF_FAILURE_VIEW == "django.views.csrf.csrf_failure":
        absent.append("CSRF_FAILURE_VIEW")
    if absent:
        yield CheckWarning(
            f"MIDDLEWARE has {EXCEPTION}, but these are not set: {', '.join(absent)}. "
            "Errors outside of views get Django's pages, without a request ID and in "
            "HTML even if the client accepts JSON.",
            hint="Use bad_request, permission_denied, page_not_found, server_error and "
            f"csrf_failure from {VIEWS}, or your own views.",
            id="aws_lambda.W012",
        )
