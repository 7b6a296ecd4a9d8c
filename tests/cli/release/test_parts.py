"""The commands of a stage whose site leaves out background tasks or the bucket."""

from typing import Any

import pytest

from apps.aws_lambda.cli.release import info, remove, traffic
from tests.cli.release.aliases import NEW, OLD, Aliases


class Deployed(Aliases):
    """A deployed stage with these outputs and functions, whose queues are empty."""

    def __init__(self, outputs: dict[str, str]) -> None:
        super().__init__(OLD)
        self.configuration["provider"] = {"region": "eu-central-1", "environment": {}}
        self._outputs = {"HttpApiUrl": "https://abc.example.com", **outputs}

    def outputs(self) -> dict[str, str]:
        return self._outputs

    def stack(self) -> dict[str, Any]:
        return {"StackStatus": "CREATE_COMPLETE"}

    def published(self) -> dict[str, str]:
        return OLD

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        assert operation == "get_queue_attributes"
        return {"Attributes": {"ApproximateNumberOfMessages": "3"}}


QUEUES = {"TaskQueueUrl": "tasks", "TaskDeadLetterQueueUrl": "tasks-dead"}
PARTS = {"Tasks", "Dead letters", "Uploads"}


@pytest.mark.parametrize(
    ("outputs", "shown"),
    [
        ({}, set()),
        (QUEUES, {"Tasks", "Dead letters"}),
        ({"MediaBucketName": "files"}, {"Uploads"}),
        ({**QUEUES, "MediaBucketName": "files"}, PARTS),
    ],
)
def test_info_prints_the_parts_that_the_stage_has(
    outputs: dict[str, str], shown: set[str]
):
    stage = Deployed(outputs)
    facts = info.facts(stage, stage.stack(), outputs, OLD, None)

    assert PARTS & {*facts} == shown
    assert facts["URL"] == "https://abc.example.com/"


def test_a_stage_without_a_bucket_is_removed_without_asking_for_it():
    assert remove.uploads(Deployed(QUEUES)) == ("", 0)


def test_the_traffic_of_a_stage_without_tasks_shifts_and_moves_back():
    old, new = ({n: v for n, v in of.items() if n != "tasks"} for of in (OLD, NEW))
    stage = Aliases(old)

    traffic.shift(stage, old, new)
    assert [name for name, _ in stage.moves] == ["manage", "schedule", "http"]
    assert stage.live == new

    traffic.move_back(stage, new, old)
    assert stage.live == old


def test_a_function_of_the_site_shifts_first_and_moves_back_last():
    stage = Aliases(OLD | {"mail": "1"})

    traffic.shift(stage, stage.live, NEW | {"mail": "2"})
    assert stage.moves[0] == ("mail", "2")
    assert stage.live["mail"] == "2"

    traffic.move_back(stage, stage.live, OLD | {"mail": "1"})
    assert stage.moves[-1] == ("mail", "1")
