from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from django.apps import AppConfig

if TYPE_CHECKING:
    from django.core.checks import CheckMessage


class AwsLambdaConfig(AppConfig):
    # The package's own name, so that the folder can be copied anywhere.
    name = __package__
    label = "aws_lambda"
    verbose_name = "AWS Lambda"

    def ready(self) -> None:
        from django.conf import settings
        from django.core.checks import register

        register(check_always, self.label)
        register(check_deployment, self.label, deploy=True)
        # Django registers its check of TASKS, which calls SQSBackend.check(), when
        # this module is imported. Django 5.2 does not have it.
        overridden = settings.is_overridden("TASKS")  # type: ignore[misc]
        if overridden and find_spec("django.tasks"):
            import_module("django.tasks")
        # What apply() in the settings cannot do.
        if settings.is_overridden("LAMBDA_CHANGES"):  # type: ignore[misc]
            from .settings import logs

            if not logs.is_configured_here(settings.LOGGING_CONFIG, settings.LOGGING):
                logs.add_handler()


# Only management commands run checks, so the checks themselves are imported when
# they are run: a handler does not pay for them.


def check_always(**kwargs: Any) -> "list[CheckMessage]":
    """Report what is wrong on any machine."""
    from .checks import ALWAYS

    return [message for check in ALWAYS for message in check()]


def check_deployment(**kwargs: Any) -> "list[CheckMessage]":
    """Report what is wrong on Lambda, and may be right elsewhere."""
    from .checks import DEPLOYMENT

    return [message for check in DEPLOYMENT for message in check()]
