"""Whom the site believes: hosts, headers, origins."""

import re
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError
from django.core.checks import Warning as CheckWarning

from .lookup import has_middleware

# Domains below which anybody can have a host: a top-level one, and those that
# AWS gives out, with or without the service and the region before them.
SHARED_DOMAIN = re.compile(
    r"""\.(
        [^.]+
        |
        ((execute-api|lambda-url|elb|[a-z]{2}(-[a-z]+)+-\d)\.)*
        (amazonaws\.com(\.cn)?|on\.aws|cloudfront\.net)
    )""",
    re.IGNORECASE | re.VERBOSE,
)

# Origins that a regex meant for one site does not match.
STRANGERS = [
    f"{scheme}://stranger-7f3a.{domain}"
    for scheme in ("http", "https")
    for domain in ("com", "net", "org", "io", "invalid")
]


def debug() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield CheckError(
            "DEBUG is on: an error page shows settings and source code to anybody.",
            hint="Set DEBUG = False.",
            id="aws_lambda.E010",
        )


def hosts() -> Iterator[CheckMessage]:
    for host in settings.ALLOWED_HOSTS:
        if host == "*" or SHARED_DOMAIN.fullmatch(host):
            yield CheckError(
                f"ALLOWED_HOSTS has {host!r}, which strangers' hosts match: whoever "
                "chooses the Host header chooses where links in mails lead.",
                hint="List the exact host names of the site.",
                id="aws_lambda.E005",
            )


def forwarded_headers() -> Iterator[CheckMessage]:
    if settings.USE_X_FORWARDED_HOST:
        yield CheckError(
            "USE_X_FORWARDED_HOST is on: API Gateway passes the client's own "
            "X-Forwarded-Host on, so the client chooses the host.",
            hint="Remove it. The handler gives Django the host of the event.",
            id="aws_lambda.E006",
        )
    if settings.SECURE_PROXY_SSL_HEADER:
        yield CheckWarning(
            f"SECURE_PROXY_SSL_HEADER trusts {settings.SECURE_PROXY_SSL_HEADER[0]!r}: "
            "the handler knows the scheme from the event, and a client may send the "
            "header itself.",
            hint="Remove it. LAMBDA_URL_SCHEME is there for serverless-offline.",
            id="aws_lambda.W004",
        )


def csrf_origins() -> Iterator[CheckMessage]:
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if "*" in origin:
            yield CheckError(
                f"CSRF_TRUSTED_ORIGINS has {origin!r}: a page on any host that it "
                "matches can send forms in your users' names.",
                hint="List full origins: 'https://www.example.com'.",
                id="aws_lambda.E008",
            )
        if origin.startswith("http://"):
            yield CheckError(
                f"CSRF_TRUSTED_ORIGINS has {origin!r}: whoever is on a user's network "
                "can write that page, and send forms in the user's name.",
                hint="Use https. A gateway speaks nothing else.",
                id="aws_lambda.E009",
            )


def cors() -> Iterator[CheckMessage]:
    if not has_middleware("corsheaders.middleware.CorsMiddleware"):
        return
    if not getattr(settings, "CORS_ALLOW_CREDENTIALS", False):
        return
    for where in all_origins():
        yield CheckError(
            f"{where} allows all origins while CORS_ALLOW_CREDENTIALS is on: any page "
            "that a user visits can read the site as that user.",
            hint="List the origins in CORS_ALLOWED_ORIGINS.",
            id="aws_lambda.E007",
        )


def all_origins() -> Iterator[str]:
    """Yield what lets every origin in, by its name of today or its older one."""
    for name, older in (
        ("CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ORIGIN_REGEX_WHITELIST"),
    ):
        used = name if hasattr(settings, name) else older
        value = getattr(settings, used, None)
        if value is True:
            yield used
        for regex in value if isinstance(value, (list, tuple)) else ():
            if any(re.match(regex, origin) for origin in STRANGERS):
                yield f"{used}, by {getattr(regex, 'pattern', regex)!r},"
