"""The site's settings, with a WSGI application and warm-up paths of its own."""

import os

from project.settings import *  # noqa: F403

WSGI_APPLICATION = "tests.aws_lambda.lifecycle.own_wsgi.application"
ROOT_URLCONF = "tests.aws_lambda.lifecycle.own_urls"
PATHS = "/seen/ /query/ /transaction/ /query/async/"
LAMBDA_WARM_UP_PATHS = os.environ.get("OWN_WARM_UP_PATHS", PATHS).split()
DATABASES["default"]["ATOMIC_REQUESTS"] = True  # noqa: F405
# The default of dictConfig: loggers that exist when it is called are disabled.
LOGGING["disable_existing_loggers"] = True  # noqa: F405
