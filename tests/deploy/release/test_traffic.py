"""How traffic moves, and what is done where it does not."""

from io import BytesIO
from typing import Any

import pytest

from deploy.release import __main__ as release
from deploy.release import rollback, situation, traffic
from deploy.release.versions import Versions
from deploy.report import Stopped
from tests.deploy.release.aliases import NEW, OLD, Aliases
from tests.services.http_stub import HttpStub

# What the site's own answers have, and nobody else's.
OURS = {"x-request-id": "1"}


def test_those_who_read_tasks_have_the_new_version_before_those_who_write_them():
    stage = Aliases(OLD)

    traffic.shift(stage, NEW, gradually=False)

    assert [name for name, _ in stage.moves] == ["manage", "schedule", "tasks", "http"]
    assert stage.live == NEW


def test_the_traffic_is_given_back_in_the_opposite_order():
    stage = Aliases(NEW)

    traffic.give_back(stage, OLD)

    assert [name for name, _ in stage.moves] == ["http", "tasks", "schedule", "manage"]
    assert stage.live == OLD


def test_what_is_live_already_is_left_alone():
    stage = Aliases(NEW)

    traffic.shift(stage, NEW, gradually=True)

    assert stage.moves == []


def test_a_deployment_that_fails_and_takes_the_alias_back_does_not_move_traffic(
    monkeypatch: pytest.MonkeyPatch,
):
    stage = Aliases(NEW)

    def undone(stage: Aliases, live: Versions) -> None:
        # The template of the stack still had the version before.
        stage.live = {**OLD}
        raise Stopped("The Serverless CLI says why, above.")

    monkeypatch.setattr(release, "deploy", undone)

    with pytest.raises(Stopped):
        release.release(stage, NEW)

    assert stage.live == NEW


def test_another_site_at_the_address_is_not_taken_for_this_one(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(traffic, "PATIENCE", 0)

    with (
        HttpStub(lambda request: (200, "Welcome!")) as site,
        pytest.raises(Stopped, match="is answered by something else"),
    ):
        traffic.verify(site.url)


def test_a_rollback_during_a_shift_says_how_to_stop_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    stage = Aliases(OLD)
    monkeypatch.setattr(stage, "shifting", lambda: True)
    monkeypatch.setattr(rollback, "VersionedStage", lambda name: stage)
    monkeypatch.setattr("sys.argv", ["rollback", "--stage", "prod"])

    assert rollback.main() == 1

    assert "aws deploy stop-deployment" in capsys.readouterr().err
    assert stage.moves == []


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("ROLLBACK_COMPLETE", "make remove STAGE=prod"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("UPDATE_IN_PROGRESS", ""),
    ],
)
def test_a_stack_that_cannot_be_updated_is_told_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, status: str, advice: str
):
    stage = Aliases(OLD)
    stage.configuration["provider"] = {"region": "eu-central-1"}
    monkeypatch.setattr(stage, "missing_parameters", list)
    monkeypatch.setattr(stage, "describe", lambda: {"StackStatus": status})

    with pytest.raises(Stopped) as stopped:
        situation.look(stage)

    assert advice in stopped.value.advice


def test_a_failure_before_the_release_says_what_is_live(
    capsys: pytest.CaptureFixture[str],
):
    situation.explain(Stopped("No."), Aliases(NEW), {}, "make deploy")

    assert "The site is served by versions http 2, tasks 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "answer",
    [
        {"Payload": BytesIO(b'{"statusCode": 503, "body": "{}"}')},
        {
            "Payload": BytesIO(b'{"errorType": "InitError"}'),
            "FunctionError": "Unhandled",
        },
        {"Payload": BytesIO(b"null")},
    ],
)
def test_a_version_that_is_not_well_gets_no_traffic(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any]
):
    stage = Aliases(OLD)
    monkeypatch.setattr(stage, "newest", lambda: NEW)
    monkeypatch.setattr(stage, "ask", lambda *args, **kwargs: answer)
    for done_before in ("deploy", "manage"):
        monkeypatch.setattr(release, done_before, lambda *args: None)

    with pytest.raises(Stopped, match="Version 2 is not well"):
        release.release(stage, OLD)

    assert stage.moves == []


def test_a_site_that_cannot_be_reached_is_tried_for_a_while_and_then_told(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(traffic, "PATIENCE", 0)

    # Port 1 is nobody's.
    with pytest.raises(Stopped, match="cannot be reached"):
        traffic.verify("http://127.0.0.1:1")


def test_a_gateway_that_is_still_being_made_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
):
    answers = iter([(404, '{"message":"Not Found"}', {}), (200, "{}", OURS)])
    monkeypatch.setattr("deploy.release.traffic.time.sleep", lambda seconds: None)

    with HttpStub(lambda request: next(answers)) as site:
        traffic.verify(site.url)

        assert [request.path for request in site.requests] == ["/health/ready"] * 2
