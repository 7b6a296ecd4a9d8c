"""The app's own settings, each with its default; read when asked for."""

from typing import Any

from django.conf import settings

from .deadline import DEADLINE_MARGIN_SECONDS

DEFAULTS: dict[str, Any] = {
    # The public path under which a mapped custom domain, or a proxy in front
    # of the gateway, serves the site: "/shop". The event does not carry it.
    "LAMBDA_BASE_PATH": "",
    # The scheme of API Gateway and Function URLs. Only serverless-offline,
    # which speaks plain HTTP, needs "http".
    "LAMBDA_URL_SCHEME": "https",
    # How many proxies append to X-Forwarded-For in front of Django on an
    # Application Load Balancer, the balancer included.
    "LAMBDA_TRUSTED_PROXIES": 1,
    # Paths that the init phase asks for, so that the first request finds all it
    # needs loaded. Pages that need no database.
    "LAMBDA_WARM_UP_PATHS": ["/"],
    # Whether the init phase connects to the databases whose connections are kept.
    "LAMBDA_WARM_UP_DATABASE": False,
    # Seconds before Lambda's timeout at which a request is ended and answered.
    "LAMBDA_DEADLINE_MARGIN": DEADLINE_MARGIN_SECONDS,
    # Seconds that a task waits before it is tried again: after the first failure,
    # and at most. The time doubles in between, and chance takes up to half off.
    "LAMBDA_TASK_BACKOFF": (10, 900),
    # The system checks compare these with each other; None is "not known".
    #
    # How many execution environments may run at once: the sum, if several
    # functions use the database with these settings.
    "LAMBDA_RESERVED_CONCURRENCY": None,
    # How many connections the database, or the proxy before it, accepts.
    "LAMBDA_DATABASE_MAX_CONNECTIONS": None,
    # After how many seconds Lambda ends an invocation of the web function.
    "LAMBDA_FUNCTION_TIMEOUT": None,
    # After how many seconds the gateway gives up: 29 on a REST API, 30 on an
    # HTTP API, None for a Function URL, which waits as long as the function.
    "LAMBDA_GATEWAY_TIMEOUT": 29,
    # The command lines that a schedule may run, each a list and exactly as it is.
    "LAMBDA_SCHEDULED_COMMANDS": [["clearsessions"]],
    # The commands that `manage.py remote` may run, with any arguments. Nothing that
    # runs code or SQL from its arguments, and nothing that needs a disk.
    "LAMBDA_REMOTE_COMMANDS": [
        "check",
        "clearsessions",
        "createcachetable",
        "createsuperuser",
        "lambda_database_setup",
        "migrate",
        "showmigrations",
    ],
    # The name of the function that runs them: "site-{stage}-manage".
    "LAMBDA_MANAGE_FUNCTION": "",
    # Whether TracingMiddleware records requests with AWS X-Ray.
    "LAMBDA_TRACING": False,
}


def get(name: str) -> Any:
    """Return the setting, or its default. KeyError if there is no such setting."""
    return getattr(settings, name, DEFAULTS[name])
