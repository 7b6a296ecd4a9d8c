"""An error reporter sends each exception once, before the environment freezes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment, FunctionError
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.lifecycle.reported_urls import SECRET
from tests.events import load_event
from tests.runtimes import OWN

HANDLER = "tests.aws_lambda.lifecycle.reported.http"


class Reports:
    """The reports that the error reporter has sent."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self) -> list[dict[str, Any]]:
        """Return the reports since the last call."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.path.unlink(missing_ok=True)
        return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Reports:
    return Reports(tmp_path_factory.mktemp("reports") / "sent")


@pytest.fixture(scope="module")
def variables(server: SiteServer, reports: Reports) -> dict[str, str]:
    return server.variables(server.postgresql.port) | {
        "SENTRY_DSN": "https://key@errors.example.com/1",
        "REPORTS": str(reports.path),
    }


@pytest.fixture(scope="module")
def environment(variables: dict[str, str]) -> Iterator[ExecutionEnvironment]:
    with ExecutionEnvironment(variables, handler=HANDLER) as environment:
        yield environment


def event(where: str) -> dict[str, Any]:
    event = load_event(
        "http_default_post",
        rawPath=f"/raise/{where}/",
        rawQueryString=f"token={SECRET}",
        isBase64Encoded=False,
        body=f"password={SECRET}",
        cookies=[f"sessionid={SECRET}", "csrftoken=" + "c" * 32],
    )
    event["headers"] |= {
        "accept": "*/*",
        "authorization": f"Bearer {SECRET}",
        "x-csrftoken": "c" * 32,
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(event["body"])),
        "origin": "https://" + event["requestContext"]["domainName"],
    }
    event["requestContext"]["requestId"] = f"the-{where}"
    return event


@pytest.mark.parametrize(
    ("where", "status"),
    [
        *(("view", 500), ("template", 500), ("middleware", 500), ("stream", 500)),
        *(("close", 500), ("signal", 500), ("exit", 500), ("deadline", 504)),
    ],
)
def test_an_exception_is_reported_once(
    environment: ExecutionEnvironment, reports: Reports, where: str, status: int
):
    pid = environment.pid
    reports.take()

    # Raises FunctionError if the invocation fails.
    result = environment.invoke(event(where), 2 if where == "deadline" else 28)

    if OWN and where in ("close", "signal"):
        # They come after the answer.
        assert result["statusCode"] == 200
    else:
        assert result["statusCode"] == status
        assert json.loads(result["body"])["requestId"] == f"the-{where}"
    # The transport writes when it is flushed, which is before the result.
    [report] = reports.take()
    *_, raised = report["exception"]["values"]
    expected = {"exit": "SystemExit", "deadline": "DeadlineExceeded"}
    assert raised["type"] == expected.get(where, "RuntimeError")
    assert report["tags"]["request_id"] == f"the-{where}"
    assert SECRET not in json.dumps(report)
    # The next request is served, and no exception is reported twice.
    assert environment.invoke(event("nothing"))["statusCode"] == 200
    assert reports.take() == []
    assert (environment.pid, environment.alive) == (pid, True)


def test_a_failed_warm_up_is_reported(variables: dict[str, str], reports: Reports):
    reports.take()
    warm_up = {"WARM_UP": "/raise/view/"}
    with ExecutionEnvironment(variables | warm_up, handler=HANDLER) as environment:
        environment.invoke(event("nothing"))

    [report] = reports.take()
    assert report["exception"]["values"][-1]["value"].startswith("raised in view")


def test_a_failed_init_phase_is_reported(variables: dict[str, str], reports: Reports):
    reports.take()
    environment = ExecutionEnvironment(variables | {"FAIL": "1"}, handler=HANDLER)

    with pytest.raises(FunctionError, match="InitError"):
        environment.start()
    environment.stop()

    [report] = reports.take()
    assert report["exception"]["values"][-1]["type"] == "ModuleNotFoundError"
