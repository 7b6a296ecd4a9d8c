from django.apps import AppConfig
from django.conf import settings


class AwsLambdaConfig(AppConfig):
    # The package's own name, so that the folder can be copied anywhere.
    name = __package__
    label = "aws_lambda"
    verbose_name = "AWS Lambda"

    def ready(self) -> None:
        """Read the two URL settings while the script prefix is still "/"."""
        # Django adds the current script prefix to a relative STATIC_URL or
        # MEDIA_URL when it is first read, and keeps the result for ever. Read
        # during a request, that would be the prefix of whoever came first.
        settings.STATIC_URL  # noqa: B018
        settings.MEDIA_URL  # noqa: B018
