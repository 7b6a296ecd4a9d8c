"""
A pytest plugin: run the handlers of all tests with one of the two runtime clients.

With TEST_RUNTIME=own, a process that stands for an execution environment is started by
the wrapper of this project's runtime client, and a handler that a test calls itself is
called as that client calls it. Otherwise AWS's client does both. The nightly run has
both.
"""

import os
from pathlib import Path
from typing import Any

import pytest

RUNTIMES = ("aws", "own")
# Whether a response is sent before it is closed.
OWN = os.environ.get("TEST_RUNTIME") == "own"
# In a package that has this repository, and in one that has the wheel.
WRAPPERS = ("apps/aws_lambda/runtime/wrapper", "django_on_lambda/runtime/wrapper")


def pytest_configure(config: pytest.Config) -> None:
    name = os.environ.get("TEST_RUNTIME", "aws")
    if name not in RUNTIMES:
        raise pytest.UsageError(
            f"TEST_RUNTIME={name} is not one of {', '.join(RUNTIMES)}."
        )
    if OWN:
        use_own_runtime()


def answer(handler: Any, event: Any, context: Any) -> Any:
    """Return what a handler answers to this project's runtime client."""
    # It imports Django, which pytest-django has not set up yet.
    from apps.aws_lambda.test.wire import invoke

    return invoke(handler, event, context)


def own_variables(task_root: Path) -> dict[str, str]:
    """Return the variables that start the runtime client of a package, if it has it."""
    wrappers = [
        str(task_root / name) for name in WRAPPERS if (task_root / name).exists()
    ]
    return {"AWS_LAMBDA_EXEC_WRAPPER": wrappers[0]} if wrappers else {}


def use_own_runtime() -> None:
    from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment

    initialise = ExecutionEnvironment.__init__

    def initialise_own(self: Any, *args: Any, **options: Any) -> None:
        initialise(self, *args, **options)
        # AWS's client starts the handler in its argument, and the other one that of the
        # variable. They differ where the modules of a package are recorded.
        if self.variables["_HANDLER"] == self.handler:
            self.variables = own_variables(self.task_root) | self.variables

    ExecutionEnvironment.__init__ = initialise_own  # type: ignore[method-assign]


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    if OWN:
        from apps.aws_lambda.handlers import lambda_handler

        lambda_handler.__call__ = answer  # type: ignore[method-assign,assignment]
