"""The project, with commands and migrations that misbehave."""

from project import settings as project

globals().update(
    {name: getattr(project, name) for name in dir(project) if name.isupper()}
)

INSTALLED_APPS = [*project.INSTALLED_APPS, "tests.aws_lambda.commands.site"]
LAMBDA_REMOTE_COMMANDS = [*project.LAMBDA_REMOTE_COMMANDS, "misbehave"]
LAMBDA_SCHEDULED_COMMANDS = [
    *project.LAMBDA_SCHEDULED_COMMANDS,
    *(
        ["misbehave", what]
        for what in (
            *("fail", "exit", "exit-0", "exit-75", "exit-124", "abandon"),
            *("sleep", "wait", "two words"),
        )
    ),
    ["absent"],
]
