"""One handler per kind of event; lambda_entry names them."""

from django.core.wsgi import get_wsgi_application

from . import conf
from .gateway import Handler, make_handler


def http() -> Handler:
    """Build the handler of web requests: the Django project behind the gateway."""
    return make_handler(
        get_wsgi_application(),
        base_path=conf.get("LAMBDA_BASE_PATH"),
        scheme=conf.get("LAMBDA_URL_SCHEME"),
        trusted_proxies=conf.get("LAMBDA_TRUSTED_PROXIES"),
    )
