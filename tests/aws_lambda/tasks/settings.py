"""The project, with the tests' tasks, and failed tasks that are retried at once."""

from project import settings as project

globals().update(
    {name: getattr(project, name) for name in dir(project) if name.isupper()}
)

INSTALLED_APPS = [*project.INSTALLED_APPS, "tests.aws_lambda.tasks"]
LAMBDA_TASK_BACKOFF = (0, 0)
