import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.lambda_settings")

from django_on_lambda.bootstrap import init_phase

with init_phase():
    from django_on_lambda import handlers

    http = handlers.http()
