"""One handler per kind of event; lambda_entry names them."""

from django.core.wsgi import get_wsgi_application

from . import conf
from .gateway import Handler, make_handler
from .warm_up import warm_up


def http() -> Handler:
    """Build the handler of web requests: the Django project behind the gateway."""
    application = get_wsgi_application()
    warm_up(application, conf.get("LAMBDA_WARM_UP_PATHS"))
    return make_handler(
        application,
        base_path=conf.get("LAMBDA_BASE_PATH"),
        scheme=conf.get("LAMBDA_URL_SCHEME"),
        trusted_proxies=conf.get("LAMBDA_TRUSTED_PROXIES"),
        deadline_margin=conf.get("LAMBDA_DEADLINE_MARGIN"),
    )
