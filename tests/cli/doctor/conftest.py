"""A stage whose AWS answers what a test chooses."""

from typing import Any

import pytest

from apps.aws_lambda.cli.configuration import Configuration
from apps.aws_lambda.cli.doctor import account, inside
from apps.aws_lambda.cli.doctor.line import OK, Line
from apps.aws_lambda.cli.release.errors import NotFound
from apps.aws_lambda.cli.release.progress import Versions
from tests.cli.release.aliases import NEW, Aliases

ACCOUNT = "123456789012"
QUEUE = f"https://sqs.eu-central-1.amazonaws.com/{ACCOUNT}/site-prod-tasks"
SENDER = "noreply@example.com"
DEAD_QUEUE = f"{QUEUE}-dead"
VARIABLES = {
    "STAGE": "prod",
    "SECRET_KEY": "ssm:/site/prod/secret-key",
    "DATABASE_URL": "ssm:/site/prod/database-url:3",
    "MEDIA_BUCKET": "site-media",
    "TASK_QUEUE_URL": QUEUE,
}


class AnsweringStage(Aliases):
    """
    A healthy stage. ``answers`` overrides what AWS returns, by operation.

    An answer is a value, an exception that is raised, or a function that gets the
    parameters of the call. ``asked`` has each operation with its parameters.
    """

    def __init__(self) -> None:
        super().__init__(NEW)
        self.status = "UPDATE_COMPLETE"
        self.configuration["provider"] = {
            "region": "eu-central-1",
            "environment": {**VARIABLES, "PUBLIC_URL": ""},
        }
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "get_alias": {},
            "get_function_configuration": self.function,
            "simulate_principal_policy": self.allowed,
            "list_event_source_mappings": {
                "EventSourceMappings": [{"UUID": "uuid-1", "State": "Enabled"}]
            },
            "get_queue_attributes": {
                "Attributes": {"ApproximateNumberOfMessages": "0"}
            },
            "filter_log_events": {"events": []},
            "get_account": {"ProductionAccessEnabled": True, "SendingEnabled": True},
            "get_email_identity": {"VerificationStatus": "SUCCESS"},
            "get_metric_data": self.metrics,
            "get_parameters": {"InvalidParameters": []},
        }
        self.variables = {name: {**VARIABLES, "MAIL_FROM": SENDER} for name in NEW}
        self.measured: dict[str, list[float]] = {}

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        self.asked.append((operation, parameters))
        answer = self.answers[operation]
        if isinstance(answer, Exception):
            raise answer
        return answer(**parameters) if callable(answer) else answer

    def outputs(self) -> dict[str, str]:
        versions = {
            f"{name.capitalize()}LambdaFunctionQualifiedArn": f"arn:{version}"
            for name, version in NEW.items()
        }
        return {
            **versions,
            "TaskQueueUrl": QUEUE,
            "TaskDeadLetterQueueUrl": DEAD_QUEUE,
        }

    def function(self, **parameters: str) -> dict[str, Any]:
        name = parameters["FunctionName"]
        return {
            "FunctionArn": f"arn:aws:lambda:eu-central-1:{ACCOUNT}:function:{name}",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/{name}",
            "State": "Active",
            "Environment": {"Variables": self.variables[name.rpartition("-")[2]]},
        }

    def allowed(self, **parameters: Any) -> dict[str, Any]:
        return {
            "EvaluationResults": [
                {"EvalActionName": action, "EvalDecision": "allowed"}
                for action in parameters["ActionNames"]
            ]
        }

    def metrics(self, **parameters: Any) -> dict[str, Any]:
        return {
            "MetricDataResults": [
                {"Id": query["Id"], "Values": self.measured.get(query["Id"], [])}
                for query in parameters["MetricDataQueries"]
            ]
        }

    def deployed(self) -> dict[str, account.Deployed]:
        live: Versions = self.versions()
        return account.deployed(self, live)


ABSENT = NotFound("There is no such thing.")


@pytest.fixture
def stage() -> AnsweringStage:
    return AnsweringStage()


@pytest.fixture(autouse=True)
def _configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the site a stand-in for one variable."""
    configuration = Configuration(
        "site.settings", "uv.lock", ("site",), stand_ins={"SECRET_KEY": "stand-in"}
    )
    monkeypatch.setattr(Configuration, "read", lambda: configuration)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    """Return the lines of the manage function, which a test may change."""
    lines = [
        Line(item, OK, "fine")
        for item in ("function", *inside.ITEMS, "queue", "e-mail")
    ]
    monkeypatch.setattr(inside, "look", lambda stage: lines)
    return lines
