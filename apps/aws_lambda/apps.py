from django.apps import AppConfig


class AwsLambdaConfig(AppConfig):
    # The package's own name, so that the folder can be copied anywhere.
    name = __package__
    label = "aws_lambda"
    verbose_name = "AWS Lambda"
