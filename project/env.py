"""
The environment variables of the site: their types, defaults and purposes.

On Lambda a value may be a reference, "ssm:/path/name" or "secretsmanager:name:key",
which is resolved before the settings are read (docs/secrets.md).

``.env.example`` is generated: python -m project.env > .env.example
"""

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True)
class Type:
    """What a value must be, in words, and what reads it: ValueError if it is not."""

    description: str
    read: Callable[[str], Any]


class Variable(NamedTuple):
    type: Type
    default: Any
    purpose: str


def text(description: str, pattern: str) -> Type:
    """Return the type of texts that match a pattern as a whole."""

    def read(value: str) -> str:
        if not re.fullmatch(pattern, value, re.ASCII):
            raise ValueError
        return value

    return Type(description, read)


def one_of(*choices: str) -> Type:
    return text(f"one of {', '.join(choices)}", "|".join(choices))


def some_of(*choices: str) -> Type:
    """Return the type of lists of these; "none" is the empty list."""

    def read(value: str) -> list[str]:
        names = [] if value == "none" else split(value)
        if not set(names) <= set(choices):
            raise ValueError
        return names

    return Type(f"none, or some of {','.join(choices)}", read)


def split(value: str) -> list[str]:
    return [word.strip() for word in value.split(",") if word.strip()]


def read_boolean(value: str) -> bool:
    if value.lower() not in TRUE + FALSE:
        raise ValueError
    return value.lower() in TRUE


def read_seconds(value: str) -> float:
    if not 0 <= float(value) < float("inf"):
        raise ValueError
    return float(value)


def read_backoff(value: str) -> tuple[int, int]:
    first, longest = map(int, value.split(","))
    if not 0 <= first <= longest:
        raise ValueError
    return first, longest


def read_origin(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.path not in "/":
        raise ValueError
    return f"{url.scheme}://{url.netloc}"


def read_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("http", "https") or not url.hostname or url.query:
        raise ValueError
    return value.rstrip("/")


def read_database_url(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in environ.Env.DB_SCHEMES or not url.path.strip("/"):
        raise ValueError
    return value


def read_log_level(value: str) -> str:
    """Return Python's name of a log level. Lambda has two more, TRACE and FATAL."""
    level = {"TRACE": "DEBUG", "FATAL": "CRITICAL"}.get(value.upper(), value.upper())
    if level not in LOG_LEVELS:
        raise ValueError
    return level


TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")
LOG_LEVELS = ("DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL")

TEXT = Type("text", str)
LIST = Type("a list, separated by commas", split)
BOOLEAN = Type("true or false", read_boolean)
INTEGER = Type("a whole number, such as 30", int)
BACKOFF = Type("two numbers of seconds, such as 10,900", read_backoff)
SECONDS = Type("a number of seconds, such as 0.5", read_seconds)
URL = Type("a URL, such as https://example.com/shop", read_url)
ORIGINS = Type(
    "an origin, such as https://example.com, or several, separated by commas",
    lambda value: [read_origin(word) for word in split(value)],
)
DATABASE_URL = Type("like postgres://user:password@host:5432/name", read_database_url)
LOG_LEVEL = Type(f"one of {', '.join(LOG_LEVELS)}", read_log_level)
STAGE = text(
    "a letter, then letters, digits and hyphens, such as dev or prod",
    r"[A-Za-z][A-Za-z0-9-]*",
)
ORIGIN_SECRET = text(
    "at least 32 letters, digits or signs, or several of these, separated by commas",
    r"[!-+\--~]{32,}(,[!-+\--~]{32,})*",
)
ADDRESS = text("an address, such as noreply@example.com", r"[\w.+-]+@[\w-]+(\.[\w-]+)+")
NAMESPACE = text(
    "a name, such as Shop/Web, that does not start with AWS/",
    r"(?!AWS/)[\w.\-/#: ]{1,255}",
)

VARIABLES = {
    # Site
    "STAGE": Variable(
        STAGE,
        "local",
        'Name of the deployment, such as dev or prod. "local" is a developer\'s '
        "machine: plain HTTP, SQLite and a public SECRET_KEY are allowed there.",
    ),
    "PUBLIC_URL": Variable(
        URL,
        "",
        "Where users find the site. Allowed hosts, trusted origins, cookie names "
        "and the base path are derived from it.",
    ),
    "ALLOWED_HOSTS": Variable(
        LIST,
        [],
        "Additional host names to serve, such as the API's own. Outside the local "
        "stage either this or PUBLIC_URL is required.",
    ),
    "CSRF_TRUSTED_ORIGINS": Variable(
        ORIGINS,
        [],
        "Additional origins from which forms may be submitted.",
    ),
    "CORS_ALLOWED_ORIGINS": Variable(
        ORIGINS,
        [],
        "Origins whose scripts may call this site. Empty: CORS is off.",
    ),
    "SECRET_KEY": Variable(
        TEXT,
        "",
        "Signs sessions and tokens. Required outside the local stage.",
    ),
    "SECRET_KEY_FALLBACKS": Variable(
        LIST,
        [],
        "Other keys whose signatures are accepted, during a rotation "
        "(docs/secrets.md).",
    ),
    "SECURE_HSTS_SECONDS": Variable(
        INTEGER,
        0,
        "How long browsers insist on HTTPS for this host, and nothing shortens it. "
        "Start with 3600 and end with 31536000, a year. Not in the local stage.",
    ),
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": Variable(
        BOOLEAN,
        False,
        "With SECURE_HSTS_SECONDS: for all subdomains too.",
    ),
    "SECURE_HSTS_PRELOAD": Variable(
        BOOLEAN,
        False,
        "With both: allow browsers to ship the host in their list of HTTPS sites, "
        "which takes months to undo.",
    ),
    "LOGIN_FAILURE_LIMIT": Variable(
        INTEGER,
        5,
        "Failed logins for one user name from one IP address before that pair is "
        "locked out for 15 minutes. Ten times as many lock out the name or the "
        "address. An IPv6 address counts as its /64 network.",
    ),
    "DEBUG": Variable(
        BOOLEAN,
        False,
        "Django's debug pages. They show settings and source code: never in public.",
    ),
    "DEBUG_TOOLBAR": Variable(
        BOOLEAN,
        False,
        "django-debug-toolbar. Local stage only.",
    ),
    "ADMIN_DOCS": Variable(
        BOOLEAN,
        False,
        "The admin's documentation generator. Requires the package docutils.",
    ),
    # Database, cache, tasks, e-mail and files
    "DATABASE_URL": Variable(
        DATABASE_URL,
        "",
        "Required outside the local stage, which defaults to the SQLite file "
        "db.sqlite3. Options in the query string override the profile's.",
    ),
    "LAMBDA_DATABASE_PROFILE": Variable(
        one_of("direct", "proxy"),
        "direct",
        "How connections are kept. proxy: behind RDS Proxy or pgbouncer "
        "(docs/operate.md).",
    ),
    "LAMBDA_DATABASE_IAM_AUTH": Variable(
        BOOLEAN,
        False,
        "Log in to RDS with the function's role instead of a password.",
    ),
    "LAMBDA_WARM_UP_DATABASE": Variable(
        BOOLEAN,
        False,
        "Connect during the init phase, if the profile keeps connections open.",
    ),
    "LAMBDA_PARAMETERS_TTL": Variable(
        INTEGER,
        300,
        "Seconds for which a resolved parameter or secret is used before it is "
        "fetched again (docs/secrets.md).",
    ),
    "CACHE_URL": Variable(
        TEXT,
        "dbcache://django_cache",
        "dbcache://table, or rediss://host:6379/0 with the package redis.",
    ),
    "TASK_QUEUE_URL": Variable(
        URL,
        "",
        "SQS queue of background tasks: "
        "https://sqs.<region>.amazonaws.com/<account>/<name>. Empty: a task runs "
        "immediately, in the process that enqueues it.",
    ),
    "LAMBDA_TASK_BACKOFF": Variable(
        BACKOFF,
        (10, 900),
        "Seconds before a failed task is retried: after the first failure, and at "
        "most (docs/tasks.md).",
    ),
    "LAMBDA_EMAIL_FOLDER": Variable(
        TEXT,
        "",
        "Folder in which e-mail is kept instead of being sent. make run sets it, and "
        "shows what is there.",
    ),
    "MAIL_FROM": Variable(
        ADDRESS,
        "",
        "Address from which SES sends e-mail (docs/operate.md). Empty: in the local "
        "stage the console prints it, and in others it fails.",
    ),
    "MEDIA_BUCKET": Variable(
        TEXT,
        "",
        "S3 bucket for uploaded files. Lambda's disk is read-only except for /tmp, "
        "which is not kept: outside the local stage set this, or MEDIA_ROOT to a "
        "path on EFS (/mnt/...).",
    ),
    "MEDIA_ROOT": Variable(
        TEXT,
        "media",
        "Folder of uploaded files without a bucket.",
    ),
    "STATIC_ROOT": Variable(
        TEXT,
        "staticfiles",
        "Folder into which collectstatic copies static files, and from which "
        "WhiteNoise serves them.",
    ),
    # Logs, metrics and traces
    "LOG_LEVEL": Variable(
        LOG_LEVEL,
        "",
        "Minimum level of log records. Empty: AWS_LAMBDA_LOG_LEVEL.",
    ),
    "AWS_LAMBDA_LOG_LEVEL": Variable(
        LOG_LEVEL,
        "INFO",
        "Set by Lambda from the function's logging configuration.",
    ),
    "LAMBDA_METRICS_NAMESPACE": Variable(
        NAMESPACE,
        "DjangoOnLambda",
        "CloudWatch namespace of the metrics in the log. The alarms and the "
        "dashboard of serverless.yml read the default one (docs/operate.md).",
    ),
    "LAMBDA_METRICS_DIMENSIONS": Variable(
        some_of("route", "task", "command"),
        ["route", "task", "command"],
        "Dimensions of the metrics besides the function. Each route that is visited "
        "costs about 2.10 USD a month.",
    ),
    "LAMBDA_TRACING": Variable(
        BOOLEAN,
        False,
        "Record requests with AWS X-Ray, which adds to the init phase and to the "
        "bill (docs/tracing.md).",
    ),
    # Requests
    "LAMBDA_BASE_PATH": Variable(
        TEXT,
        "",
        "Path prefix that a proxy or a mapped custom domain adds and events do not "
        "contain. Empty: the path of PUBLIC_URL.",
    ),
    "LAMBDA_COMPRESSION": Variable(
        BOOLEAN,
        True,
        "Compress pages, JSON and CSV for clients that accept gzip "
        "(docs/event-sources.md).",
    ),
    "LAMBDA_URL_SCHEME": Variable(
        one_of("https", "http"),
        "https",
        "Scheme of requests. API Gateway and Function URLs are always https; the "
        "local plugin sets http for serverless-offline.",
    ),
    "LAMBDA_TRUSTED_PROXIES": Variable(
        INTEGER,
        1,
        "Which entry of X-Forwarded-For is the client, counted from the right: 1 plus "
        "the number of proxies in front of the API or the load balancer, 2 behind "
        "CloudFront. Function URLs ignore it (docs/event-sources.md).",
    ),
    "LAMBDA_ORIGIN_SECRET": Variable(
        ORIGIN_SECRET,
        "",
        "What CloudFront sends in the header X-Origin-Secret. Requests without it are "
        "rejected (docs/event-sources.md).",
    ),
    "LAMBDA_DEADLINE_MARGIN": Variable(
        SECONDS,
        0.5,
        "Seconds before Lambda's timeout at which a request is stopped and answered.",
    ),
}


def env(name: str) -> Any:
    """
    Return the value of a variable in VARIABLES, or its default if unset or empty.

    Raises ImproperlyConfigured if the value does not fit the type. The message has
    the length of the value and not the value, which may be a secret.
    """
    variable = VARIABLES[name]
    value = os.environ.get(name, "").strip()
    if not value:
        return variable.default
    try:
        return variable.type.read(value)
    except ValueError:
        raise ImproperlyConfigured(
            f"{name} must be {variable.type.description}. The environment or .env sets "
            f"it to something else, {len(value)} characters long. See .env.example."
        ) from None


def require(*names: str, reason: str) -> None:
    """Raise one ImproperlyConfigured with the names of all variables not set."""
    missing = [name for name in names if not env(name)]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise ImproperlyConfigured(f"{', '.join(missing)} {verb} not set. {reason}")


def example() -> Iterator[str]:
    """Yield the lines of .env.example."""
    yield "# Generated by: python -m project.env > .env.example"
    yield "#"
    yield "# Copy this file to .env for local work. The lines show the defaults. The"
    yield "# environment takes precedence over .env, which is never deployed."
    for name, (kind, default, purpose) in VARIABLES.items():
        yield ""
        yield from wrap(purpose, 79, initial_indent="# ", subsequent_indent="# ")
        if kind is not TEXT:
            yield f"# Value: {kind.description}"
        yield f"#{name}={written(default)}"


def written(value: Any) -> str:
    """Return a default as it would be written in .env."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.writelines(f"{line}\n" for line in example())
