"""The app's own settings, each with its default; read when asked for."""

from typing import Any

from django.conf import settings

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
}


def get(name: str) -> Any:
    """Return the setting, or its default. KeyError if there is no such setting."""
    return getattr(settings, name, DEFAULTS[name])
