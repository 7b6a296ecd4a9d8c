"""The app's settings and their defaults, read on access."""

from typing import Any

from django.conf import settings

from .deadline import DEADLINE_MARGIN_SECONDS

DEFAULTS: dict[str, Any] = {
    # Path prefix that a mapped custom domain or a proxy adds and events do not
    # contain: "/shop".
    "LAMBDA_BASE_PATH": "",
    # Scheme of requests. "http" is for serverless-offline only.
    "LAMBDA_URL_SCHEME": "https",
    # Which entry of X-Forwarded-For is the client, counted from the right: 1 plus the
    # number of proxies in front of the API or the load balancer. A Function URL ignores
    # it.
    "LAMBDA_TRUSTED_PROXIES": 1,
    # What CloudFront sends in X-Origin-Secret, so that no request can bypass it:
    # OriginSecretMiddleware rejects all others.
    "LAMBDA_ORIGIN_SECRET": "",
    # Paths requested in the init phase, so that their code is loaded before the first
    # request. Pages without database queries, unless LAMBDA_WARM_UP_DATABASE is on. The
    # URLconf is imported without any.
    "LAMBDA_WARM_UP_PATHS": [],
    # Whether the init phase opens the database connections that are kept, which the
    # pages above may then query.
    "LAMBDA_WARM_UP_DATABASE": False,
    # Seconds before Lambda's timeout at which a request is stopped and answered.
    "LAMBDA_DEADLINE_MARGIN": DEADLINE_MARGIN_SECONDS,
    # Whether CompressionMiddleware compresses texts for clients that accept gzip.
    "LAMBDA_COMPRESSION": True,
    # Whether the REST API or the Function URL is configured for streamed responses.
    "LAMBDA_STREAMING": False,
    # Seconds before a failed task is retried: after the first failure, and at most.
    # The delay doubles with each failure, minus a random part of up to half of it.
    "LAMBDA_TASK_BACKOFF": (10, 900),
    # Tasks in a chain, in which each enqueues the next. A longer one is refused.
    "LAMBDA_TASK_CHAIN_LIMIT": 100,
    # Command lines that a schedule may run, as lists. Only exact matches run.
    "LAMBDA_SCHEDULED_COMMANDS": [["clearsessions"]],
    # Commands that `manage.py remote` may run, with any arguments. Add no command that
    # runs code or SQL from its arguments.
    "LAMBDA_REMOTE_COMMANDS": [
        "check",
        "clearsessions",
        "createcachetable",
        "createsuperuser",
        "lambda_database_password",
        "lambda_database_setup",
        "lambda_diagnose",
        "migrate",
        "sendtestemail",
        "showmigrations",
    ],
    # Whether apply() lets browsers upload files straight to the bucket.
    "LAMBDA_UPLOADS": False,
    # The largest file that a browser may upload, in bytes; and how many files a user
    # may have uploaded that no form has saved yet.
    "LAMBDA_UPLOAD_MAX_BYTES": 5 * 1024**3,
    "LAMBDA_UPLOAD_QUOTA": 50,
    # Name of the function that runs them: "site-{stage}-manage".
    "LAMBDA_MANAGE_FUNCTION": "",
    # Hosts that the deployment knows, which apply() adds to ALLOWED_HOSTS.
    "LAMBDA_HOSTS": [],
    # What apply() has changed in the settings, and why: see settings/site.py.
    "LAMBDA_CHANGES": {},
    # Whether TracingMiddleware records requests with AWS X-Ray.
    "LAMBDA_TRACING": False,
}


def get(name: str) -> Any:
    """Return the setting or its default; KeyError if the app has no such setting."""
    return getattr(settings, name, DEFAULTS[name])
