"""What `django-on-lambda adopt` writes, and the switches of some rows."""

import os

from django_on_lambda.settings import apply

from .settings import *  # noqa: F403

apply(globals())

LAMBDA_WARM_UP_PATHS = os.environ.get("SHOP_WARM_UP_PATHS", "").split()
LAMBDA_WARM_UP_DATABASE = os.environ.get("SHOP_WARM_UP_DATABASE") == "true"
if os.environ.get("SHOP_ACCESS_LINE") == "off":
    globals()["LOGGING"]["loggers"]["django_on_lambda.access"] = {"level": "WARNING"}
