"""Nothing of a request stays behind in the freeze, or in the next request."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.aws_lambda.lifecycle.conftest import no_connection_left
from tests.events import load_event

HANDLER = "tests.aws_lambda.lifecycle.leaving.http"


@pytest.fixture(scope="module", params=["direct", "proxy"])
def environment(
    request: pytest.FixtureRequest, server: SiteServer
) -> Iterator[ExecutionEnvironment]:
    variables = server.variables(server.postgresql.port, request.param)
    server.ask(f"GRANT pg_monitor TO {ROLE}")
    with ExecutionEnvironment(variables, handler=HANDLER) as environment:
        environment.profile = request.param  # type: ignore[attr-defined]
        yield environment


def get(environment: ExecutionEnvironment, path: str) -> Any:
    return environment.invoke(load_event("http_default", rawPath=path))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(("/leave/", 500), ("/cancel/", 500), ("/cancel-async/", 500)),
        *(("/leave-stream/", 500), ("/enter-atomic/", 200), ("/begin/", 200)),
        ("/turn-autocommit-off/", 200),
    ],
)
def test_no_connection_with_a_transaction_stays_behind(
    environment: ExecutionEnvironment, server: SiteServer, path: str, status: int
):
    assert get(environment, "/groups/")["statusCode"] == 200

    assert get(environment, path)["statusCode"] == status

    assert no_connection_left(server)
    result = get(environment, "/groups/")
    assert (result["statusCode"], result["body"]) == (200, "")


def test_language_time_zone_and_context_variables_do_not_reach_the_next_request(
    environment: ExecutionEnvironment,
):
    before = get(environment, "/context/")["body"]

    assert get(environment, "/change-context/")["statusCode"] == 200

    assert get(environment, "/context/")["body"] == before


def test_a_kept_connection_keeps_its_role_and_temporary_tables(
    environment: ExecutionEnvironment,
):
    """As documented, with the profile proxy and without a pooler."""
    clean = json.loads(get(environment, "/session/")["body"])
    assert clean == [ROLE, None, '"$user", public']

    assert get(environment, "/change-session/")["statusCode"] == 200
    session = json.loads(get(environment, "/session/")["body"])

    kept = ["pg_monitor", "draft", "other"]
    profile = environment.profile  # type: ignore[attr-defined]
    assert session == (clean if profile == "direct" else kept)
