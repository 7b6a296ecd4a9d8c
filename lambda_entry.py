"""
Name one Lambda handler per function of serverless.yml.

Importing this module is the init phase: Django is set up and the handlers are
built once per execution environment. An exception here is left to escape, so
that Lambda logs it and initialises a fresh environment; a broken handler is
never kept.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from apps.aws_lambda import bootstrap

bootstrap.setup()

from apps.aws_lambda import handlers

http = handlers.http()
