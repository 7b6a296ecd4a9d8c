"""
Name one Lambda handler per function of serverless.yml.

Importing this module is the init phase: Django is set up and the handlers are
built once per execution environment. A failure escapes, so that Lambda
initialises a fresh environment; a broken handler is never kept.
"""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

from apps.aws_lambda.bootstrap import init_phase

with init_phase():
    from apps.aws_lambda import handlers

    http = handlers.http()
    tasks = handlers.tasks()
    schedule = handlers.schedule()
    manage = handlers.manage()
