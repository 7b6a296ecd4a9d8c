"""A WSGI application that a project wraps, and that its settings do not name."""

from django.core.wsgi import get_wsgi_application

from tests.aws_lambda.site import Site

application = get_wsgi_application()
application = Site().application  # type: ignore[assignment]
