"""moto's server, one request at a time: its queues are not thread-safe."""

from collections.abc import Callable
from typing import Any

from moto import server

from apps.aws_lambda.cli.run.aws.server import SerialApplication


def application(create_app: Callable[[Any], Any]) -> SerialApplication:
    """Return what moto's command serves."""
    return SerialApplication()


if __name__ == "__main__":
    vars(server)["DomainDispatcherApplication"] = application
    server.main()
