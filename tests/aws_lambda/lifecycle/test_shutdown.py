"""The end of an execution environment."""

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.lifecycle.conftest import no_connection_left
from tests.events import load_event

READY = load_event("http_default", rawPath="/health/ready")


def test_sigterm_closes_connections(server: SiteServer):
    variables = server.variables(server.postgresql.port, "proxy")
    with ExecutionEnvironment(variables) as environment:
        environment.invoke(READY)
        assert server.held() == 1

        assert environment.shut_down() == 0

    assert no_connection_left(server)
