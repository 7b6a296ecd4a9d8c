"""Middleware that is there, and in an order in which it works."""

import os
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning
from django.urls import get_resolver

from .. import conf
from ..middleware import CookiePathMiddleware, ExceptionMiddleware, RequestIDMiddleware
from . import lookup
from .static import is_served_here

REQUEST_ID = lookup.dotted_name(RequestIDMiddleware)
EXCEPTION = lookup.dotted_name(ExceptionMiddleware)
COOKIE_PATH = lookup.dotted_name(CookiePathMiddleware)
COMMON = "django.middleware.common.CommonMiddleware"
CORS = "corsheaders.middleware.CorsMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
XRAY = "aws_xray_sdk.ext.django.middleware.XRayMiddleware"

# The first of each pair goes before the second, because ...
ORDER = (
    (SECURITY, WHITENOISE, "a static file is sent without HTTPS and its headers"),
    (WHITENOISE, SESSION, "each static file waits for what only pages need"),
    (WHITENOISE, COMMON, "each static file waits for what only pages need"),
    (WHITENOISE, CSRF, "each static file waits for what only pages need"),
    (CORS, WHITENOISE, "static files, fonts above all, lack the CORS headers"),
    (CORS, COMMON, "a redirect lacks the CORS headers"),
    (COOKIE_PATH, SESSION, "it does not see the session's cookie"),
    (COOKIE_PATH, CSRF, "it does not see the CSRF cookie"),
    (COOKIE_PATH, MESSAGES, "it does not see the messages' cookie"),
)

PLACES = (
    "From first to last: RequestID, Cors, Security, WhiteNoise, CookiePath, Session, "
    "Common, Csrf, Messages, Exception; after it only what handles exceptions itself."
)


def order() -> Iterator[CheckMessage]:
    entries = list(lookup.middleware())

    def position(name: str) -> int | None:
        return next((i for i, (_, names) in enumerate(entries) if name in names), None)

    if position(REQUEST_ID):
        yield misplaced(
            f"{REQUEST_ID} is not the first: what an earlier one logs or answers has "
            "the ID of another request, or none."
        )
    for first, second, effect in ORDER:
        before, after = position(first), position(second)
        if before is not None and after is not None and before > after:
            yield misplaced(f"{first} comes after {second}: {effect}.")
    for path, names in entries[: position(EXCEPTION)] if position(EXCEPTION) else ():
        # X-Ray goes outside of all, and sees the status of the response.
        if XRAY not in names and hasattr(lookup.load(path), "process_exception"):
            yield misplaced(
                f"{EXCEPTION} comes after {path}: Django asks the last one first, so "
                f"the process_exception() of {path} is never called."
            )


def misplaced(message: str) -> CheckMessage:
    return CheckWarning(
        f"MIDDLEWARE: {message}",
        hint=f"Move it. {PLACES}",
        id="aws_lambda.W011",
    )


def missing() -> Iterator[CheckMessage]:
    for name, needed, effect in (
        (REQUEST_ID, True, "a response cannot be found in the logs"),
        (EXCEPTION, True, "an error is answered without a request ID to search for"),
        (COOKIE_PATH, cookies_need_a_path(), "stages on one host share their cookies"),
        (WHITENOISE, is_served_here(), "nothing serves static files"),
    ):
        if needed and not lookup.has_middleware(name):
            yield CheckWarning(
                f"MIDDLEWARE lacks {name}: {effect}.",
                hint=f"Add it. {PLACES}",
                id="aws_lambda.W010",
            )


def cookies_need_a_path() -> bool:
    """Is a cookie sent to other stages, which have the same host name?"""
    return conf.get("LAMBDA_BASE_PATH") != "/" and any(
        lookup.has_middleware(user)
        and getattr(settings, f"{cookie}_COOKIE_PATH") == "/"
        # A browser takes such a cookie with Path=/ only.
        and not getattr(settings, f"{cookie}_COOKIE_NAME").startswith("__Host-")
        for cookie, user in (("SESSION", SESSION), ("CSRF", CSRF))
    )


def error_views() -> Iterator[CheckMessage]:
    if not getattr(settings, "ROOT_URLCONF", None):
        return
    urlconf = get_resolver().urlconf_module
    absent = [
        f"handler{status} in {settings.ROOT_URLCONF}"
        for status in (400, 403, 404, 500)
        if not hasattr(urlconf, f"handler{status}")
    ]
    if settings.CSRF_FAILURE_VIEW == "django.views.csrf.csrf_failure":
        absent.append("CSRF_FAILURE_VIEW")
    if absent:
        yield CheckWarning(
            f"Not set: {', '.join(absent)}. Django's own views show no request ID, and "
            "give HTML to programs.",
            hint="Use the views bad_request, permission_denied, page_not_found, "
            "server_error and csrf_failure of aws_lambda, or your own.",
            id="aws_lambda.W012",
        )


def xray_name() -> Iterator[CheckMessage]:
    recorder = getattr(settings, "XRAY_RECORDER", None) or {}
    # The SDK lets the environment win, even with an empty value. Its app does not
    # start without a name, so that no check can run: this is for its middleware.
    name = os.environ.get(
        "AWS_XRAY_TRACING_NAME", recorder.get("AWS_XRAY_TRACING_NAME")
    )
    if not name and lookup.has_middleware(XRAY):
        yield CheckError(
            f"MIDDLEWARE has {XRAY}, and neither XRAY_RECORDER nor the environment has "
            "AWS_XRAY_TRACING_NAME: a segment without a name fails every request.",
            hint="Set XRAY_RECORDER = {'AWS_XRAY_TRACING_NAME': 'my-site'}.",
            id="aws_lambda.E015",
        )
