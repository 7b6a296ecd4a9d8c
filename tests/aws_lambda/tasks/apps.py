from django.apps import AppConfig


class JobsConfig(AppConfig):
    """The tests as an app, whose tasks the tasks function runs."""

    name = "tests.aws_lambda.tasks"
    label = "jobs"
