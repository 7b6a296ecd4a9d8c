"""The first line of `make info`: what is wrong."""

from typing import Any

import pytest

from apps.aws_lambda.cli.doctor import account
from apps.aws_lambda.cli.release import info
from apps.aws_lambda.cli.release.lock import StageLock
from tests.cli.doctor.conftest import AnsweringStage
from tests.cli.release.aliases import NEW, OLD

ALARM = {"MetricAlarms": [{"AlarmName": "site-prod-http-errors"}]}


class DeployedStage(AnsweringStage):
    """A healthy stage with alarms, whose versions and stack a test changes."""

    def __init__(self) -> None:
        super().__init__()
        self.status = "UPDATE_COMPLETE"
        self.answers["describe_alarms"] = {"MetricAlarms": []}

    def outputs(self) -> dict[str, str]:
        found = {"AlarmTopicArn": "arn", "HttpApiUrl": "https://abc.example.com"}
        return super().outputs() | found


@pytest.fixture
def stage() -> DeployedStage:
    return DeployedStage()


def first(stage: DeployedStage) -> str:
    return next(info.report(stage))


def test_a_healthy_stage_has_nothing_wrong(stage: DeployedStage):
    line, *table = info.report(stage)

    assert line == (
        "Nothing is wrong: live is versions http 2, tasks 3, schedule 2, manage 2; "
        "0 tasks wait, none is in the dead-letter queue."
    )
    assert table[0] == "Stack         site-prod in eu-central-1, UPDATE_COMPLETE"
    assert "Alarms        none in ALARM" in table


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (
            "UPDATE_ROLLBACK_COMPLETE",
            "Problem: CloudFormation could not complete the last update "
            "(UPDATE_ROLLBACK_COMPLETE). Next: make deploy STAGE=prod says what to do",
        ),
        (
            "UPDATE_IN_PROGRESS",
            "Problem: CloudFormation is updating the stack (UPDATE_IN_PROGRESS). Next: "
            "wait until it has finished: make info STAGE=prod",
        ),
    ],
)
def test_the_state_of_the_stack_is_a_problem(
    stage: DeployedStage, status: str, words: str
):
    stage.status = status

    assert first(stage) == words


def test_a_version_that_is_not_live_is_a_problem(stage: DeployedStage):
    stage.live = {**NEW, "http": OLD["http"]}

    assert first(stage) == (
        "Problem: live is versions http 1, tasks 3, schedule 2, manage 2, newest is "
        "versions http 2, tasks 3, schedule 2, manage 2: the last release was not "
        "completed, or was rolled back. Next: make deploy STAGE=prod"
    )


def test_several_problems_are_in_one_line_with_the_most_urgent_step(
    stage: DeployedStage, monkeypatch: pytest.MonkeyPatch
):
    holder = "ann on desk (deploy, since 2026-11-26T10:00:00+00:00) is changing stage"
    monkeypatch.setattr(StageLock, "holder", lambda lock: holder)
    stage.answers["describe_alarms"] = ALARM

    assert first(stage) == (
        f"Problem: {holder}; in ALARM: site-prod-http-errors. Next: wait until it has "
        "ended, or release again"
    )


def test_what_the_doctor_finds_has_the_same_words(stage: DeployedStage):
    stage.answers["get_alias"] = {
        "RoutingConfig": {"AdditionalVersionWeights": {"3": 0.1}}
    }
    stage.answers["get_queue_attributes"] = {
        "Attributes": {"ApproximateNumberOfMessages": "4"}
    }
    alias = account.alias(stage, NEW)
    queue = account.queue(stage, stage.deployed())

    assert first(stage) == (
        f"Problem: {alias.text}; {queue.text}. Next: {alias.next_step}"
    )


def test_a_first_deployment_that_failed_is_a_problem(
    stage: DeployedStage, monkeypatch: pytest.MonkeyPatch
):
    stage.live, stage.status = {}, "ROLLBACK_COMPLETE"
    none: dict[str, Any] = {}
    monkeypatch.setattr(stage, "outputs", lambda: none)

    line, *table = info.report(stage)

    assert "http, tasks, schedule, manage have no alias live" in line
    assert [row.split()[0] for row in table] == ["Stack", "Live"]
