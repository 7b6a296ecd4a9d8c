"""Security: debug pages, trusted hosts, headers and origins."""

import re
from collections.abc import Iterator

from django.conf import settings
from django.core.checks import CheckMessage
from django.core.checks import Error as CheckError

from .. import conf
from ..middleware import OriginSecretMiddleware
from .lookup import dotted_name, has_middleware

# Domains in which anyone can register a host: top-level domains, and those of AWS
# services, with or without service and region.
SHARED_DOMAIN = re.compile(
    r"""\.(
        [^.]+
        |
        ((execute-api|lambda-url|elb|[a-z]{2,4}(-[a-z]+)+-\d)\.)*
        (amazonaws\.(com|com\.cn|eu)|on\.aws|cloudfront\.net)
    )""",
    re.IGNORECASE | re.VERBOSE,
)

# Those in which a service of AWS delivers a request only to the host that it names.
ROUTED_DOMAIN = re.compile(
    r"\.(execute-api|lambda-url)\.[a-z]{2,4}(-[a-z]+)+-\d"
    r"\.(amazonaws\.(com|com\.cn|eu)|on\.aws)",
    re.IGNORECASE,
)

# Origins that a regex for one site does not match.
FOREIGN_ORIGINS = [
    f"{scheme}://foreign-7f3a.{domain}"
    for scheme in ("http", "https")
    for domain in ("com", "net", "org", "io", "invalid")
]


def debug() -> Iterator[CheckMessage]:
    if settings.DEBUG:
        yield CheckError(
            "DEBUG is on: error pages show settings and source code to every visitor.",
            hint="Set DEBUG = False.",
            id="aws_lambda.E010",
        )


def hosts() -> Iterator[CheckMessage]:
    for host in filter(None, settings.ALLOWED_HOSTS):
        # The template of a stack cannot name its own API or Function URL.
        if host in conf.get("LAMBDA_HOSTS") and ROUTED_DOMAIN.fullmatch(host):
            continue
        if host == "*" or SHARED_DOMAIN.fullmatch(host):
            yield CheckError(
                f"ALLOWED_HOSTS has {host!r}, which matches hosts of other people: a "
                "client can send a Host header that directs links in emails, such as "
                "password resets, to its own site.",
                hint="List the exact host names of the site.",
                id="aws_lambda.E005",
            )


def no_hosts() -> Iterator[CheckMessage]:
    if not settings.DEBUG and not any(settings.ALLOWED_HOSTS):
        yield CheckError(
            f"ALLOWED_HOSTS is {settings.ALLOWED_HOSTS!r}: every request gets 400.",
            hint="Set the variable PUBLIC_URL or LAMBDA_HOSTS, which apply() reads, or "
            "list the host names of the site.",
            id="aws_lambda.E019",
        )


def forwarded_host() -> Iterator[CheckMessage]:
    if settings.USE_X_FORWARDED_HOST:
        yield CheckError(
            "USE_X_FORWARDED_HOST is on: API Gateway forwards the X-Forwarded-Host "
            "header of the client, so the client chooses the host.",
            hint="Remove it. The handler takes the host from the event.",
            id="aws_lambda.E006",
        )


def origin_secret() -> Iterator[CheckMessage]:
    demanded = has_middleware(dotted_name(OriginSecretMiddleware))
    if bool(conf.get("LAMBDA_ORIGIN_SECRET")) == demanded:
        return
    name = dotted_name(OriginSecretMiddleware)
    yield CheckError(
        f"MIDDLEWARE has {name}, but LAMBDA_ORIGIN_SECRET is empty: no handler can be "
        "built."
        if demanded
        else f"LAMBDA_ORIGIN_SECRET is set, but MIDDLEWARE does not contain {name}: "
        "requests that bypass CloudFront are served.",
        hint="Set both or neither. The middleware comes before any that answers.",
        id="aws_lambda.E018",
    )


def csrf_origins() -> Iterator[CheckMessage]:
    for origin in settings.CSRF_TRUSTED_ORIGINS:
        if "*" in origin:
            yield CheckError(
                f"CSRF_TRUSTED_ORIGINS has {origin!r}: a page on any matching host "
                "can submit forms as your users.",
                hint="List full origins: 'https://www.example.com'.",
                id="aws_lambda.E008",
            )
        if origin.startswith("http://"):
            yield CheckError(
                f"CSRF_TRUSTED_ORIGINS has {origin!r}: an attacker in a user's network "
                "can change pages of that origin and submit forms as the user.",
                hint="Use https://. API Gateway does not serve plain HTTP.",
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
    """Yield the settings that allow all origins, under their new or old names."""
    for name, older in (
        ("CORS_ALLOW_ALL_ORIGINS", "CORS_ORIGIN_ALLOW_ALL"),
        ("CORS_ALLOWED_ORIGIN_REGEXES", "CORS_ORIGIN_REGEX_WHITELIST"),
    ):
        used = name if hasattr(settings, name) else older
        value = getattr(settings, used, None)
        if value is True:
            yield used
        for regex in value if isinstance(value, (list, tuple)) else ():
            if any(re.match(regex, origin) for origin in FOREIGN_ORIGINS):
                yield f"{used}, by {getattr(regex, 'pattern', regex)!r},"
