"""What a failure says when what should mend it fails, too."""

import io
import sys
from typing import Any

import pytest

from deploy.release import __main__ as release
from deploy.release import remove, rollback, situation, traffic
from deploy.release.stage import NotThere
from deploy.release.versions import ALIAS, PREVIOUS
from deploy.report import Stopped
from tests.deploy.release.aliases import NEW, OLD, Aliases

EXPIRED = "AWS refuses lambda update_alias: the token has expired"
AGAIN = "make deploy STAGE=prod"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Aliases:
    """A stage that is served by the old version, and whose stack is at rest."""
    stage = Aliases(OLD)
    monkeypatch.setattr(release, "heed_signals", lambda: None)
    monkeypatch.setattr(release, "VersionedStage", lambda name, parameters: stage)
    monkeypatch.setattr(release, "look", lambda stage: {**OLD})
    monkeypatch.setattr("sys.argv", ["release", "--stage", "prod"])
    return stage


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise Stopped(EXPIRED)


def interrupt(*args: Any, **kwargs: Any) -> Any:
    raise KeyboardInterrupt


def fail(*args: Any) -> Any:
    raise Stopped("The Serverless CLI says why, above.")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_deployment_that_fails_is_told_before_what_could_not_be_mended(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(release, "deploy", fail)
    monkeypatch.setattr(stage, "describe", refuse)

    assert release.main() == 1

    assert lines(capsys) == [
        "",
        "The Serverless CLI says why, above.",
        "Then this was not finished: Wait for CloudFormation, and leave the traffic "
        "where it was.",
        EXPIRED,
        "Before, the site was served by version 1. What serves it now is not known: "
        "make info STAGE=prod",
        f"Next: mend it, then {AGAIN}",
    ]


def test_a_second_interrupt_does_not_hide_that_cloudformation_is_at_work(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(release, "deploy", interrupt)
    monkeypatch.setattr(
        stage, "describe", lambda: {"StackStatus": "UPDATE_IN_PROGRESS"}
    )
    monkeypatch.setattr("deploy.release.stage.time.sleep", interrupt)

    assert release.main() == 130

    assert lines(capsys) == [
        "",
        "Interrupted.",
        "Then this was not finished: Wait for CloudFormation, and leave the traffic "
        "where it was.",
        "Interrupted.",
        "The site is served by version 1, as before.",
        "CloudFormation is at work on the stack (UPDATE_IN_PROGRESS) and may change "
        "that: wait until make info STAGE=prod says that it has ended.",
        f"Next: {AGAIN}",
    ]


def test_a_second_interrupt_while_the_traffic_is_given_back_says_who_has_it(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for done_before in ("deploy", "manage", "check_health"):
        monkeypatch.setattr(release, done_before, lambda *args: None)
    monkeypatch.setattr(stage, "newest", lambda: NEW)
    monkeypatch.setattr(stage, "public_url", lambda: "https://example.com")
    stage.configuration["custom"] = {"trafficShift": "AllAtOnce"}
    monkeypatch.setattr(traffic, "verify", interrupt)
    point = stage.point

    def interrupted(name: str, version: str, alias: str = "live") -> None:
        # When the first is given back, and the others are not.
        if (name, version, alias) == ("tasks", OLD["tasks"], "live"):
            raise KeyboardInterrupt
        point(name, version, alias)

    monkeypatch.setattr(stage, "point", interrupted)

    assert release.main() == 130

    assert lines(capsys)[-3:] == [
        "Interrupted.",
        "Before, the site was served by version 1; now by versions http 1, tasks 3, "
        "schedule 2, manage 2.",
        f"Next: {AGAIN}",
    ]


def test_an_interrupt_while_the_state_is_asked_for_still_ends_with_a_command(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(stage, "versions", interrupt)

    situation.explain(KeyboardInterrupt(), stage, OLD, AGAIN)

    assert lines(capsys)[-1] == f"Next: {AGAIN}"


def test_what_codedeploy_does_not_stop_is_told_after_the_reason_to_stop_it(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    def asked(service: str, operation: str, **parameters: Any) -> Any:
        match operation:
            case "create_deployment":
                return {"deploymentId": "d-1"}
            case "get_deployment":
                raise Stopped("The first.")
        raise Stopped("The second.")

    monkeypatch.setattr(stage, "ask", asked)

    with pytest.raises(Stopped, match="The first") as stopped:
        traffic.shift(stage, NEW, gradually=True)

    [note] = stopped.value.__notes__
    assert note.endswith("Let CodeDeploy stop and undo what it has begun.\nThe second.")


def test_a_stage_that_cannot_even_be_read_is_not_said_to_be_down(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(release, "VersionedStage", fail)

    assert release.main() == 1

    assert "Nothing was changed." in lines(capsys)


def test_a_first_release_that_is_interrupted_says_that_cloudformation_goes_on(
    stage: Aliases,
):
    stage.live = {}
    stage.status = "CREATE_IN_PROGRESS"

    assert situation.state(stage, {}) == (
        "Nothing is live.\n"
        "CloudFormation is at work on the stack (CREATE_IN_PROGRESS) and may change "
        "that: wait until make info STAGE=prod says that it has ended."
    )


def test_a_rollback_that_fails_from_outside_says_what_is_live(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    stage.live = {**NEW}
    found = {PREVIOUS: OLD, ALIAS: stage.live}
    monkeypatch.setattr(stage, "versions", lambda alias=ALIAS: {**found[alias]})
    monkeypatch.setattr(stage, "shifting", lambda: False)
    monkeypatch.setattr(stage, "remember", lambda versions: None)
    monkeypatch.setattr(rollback, "heed_signals", lambda: None)
    monkeypatch.setattr(rollback, "VersionedStage", lambda name: stage)
    monkeypatch.setattr(traffic, "PATIENCE", 0)
    # Port 1 is nobody's.
    arguments = ["rollback", "--stage", "prod", "--url", "http://127.0.0.1:1"]
    monkeypatch.setattr("sys.argv", arguments)

    assert rollback.main() == 1

    said = lines(capsys)
    assert "cannot be reached" in said[1]
    assert said[-2:] == [
        "Before, the site was served by versions http 2, tasks 3, schedule 2, "
        "manage 2; now by version 1.",
        "Next: mend it, then make info STAGE=prod",
    ]


class Gone(io.TextIOBase):
    """What is left of a terminal that was closed, or of a pipe that nobody reads."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_terminal_that_is_gone_keeps_no_traffic_from_going_back(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(release, "deploy", lambda stage, live: None)
    monkeypatch.setattr(release, "manage", lambda *args: None)
    monkeypatch.setattr(release, "check_health", lambda stage, version: None)
    monkeypatch.setattr(stage, "newest", lambda: {**NEW})
    monkeypatch.setattr(stage, "public_url", lambda: "http://127.0.0.1:1")
    stage.configuration["custom"] = {"trafficShift": "AllAtOnce"}

    def close(url: str) -> None:
        assert stage.live == NEW
        monkeypatch.setattr(sys, "stdout", Gone())
        monkeypatch.setattr(sys, "stderr", Gone())
        raise KeyboardInterrupt

    monkeypatch.setattr(traffic, "verify", close)

    assert release.main() == 130

    assert stage.live == OLD


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ("--stage prod", AGAIN),
        ("--stage=prod --at-once", f"{AGAIN} ARGS=--at-once"),
        (
            "--param a=b --url http://x --stage prod",
            f"{AGAIN} ARGS='--param=a=b --url http://x'",
        ),
    ],
)
def test_the_same_command_is_told_however_it_was_given(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    command: str,
):
    monkeypatch.setattr(release, "deploy", fail)
    monkeypatch.setattr("sys.argv", ["release", *arguments.split()])

    assert release.main() == 1

    assert lines(capsys)[-1] == f"Next: mend it, then {command}"


def test_a_rollback_says_that_a_release_may_move_the_traffic_again(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    stage.live, stage.status = {**NEW}, "UPDATE_IN_PROGRESS"
    found = {PREVIOUS: OLD, ALIAS: stage.live}
    monkeypatch.setattr(stage, "versions", lambda alias=ALIAS: {**found[alias]})
    monkeypatch.setattr(stage, "shifting", lambda: False)
    monkeypatch.setattr(traffic, "verify", lambda url: None)

    rollback.roll_back(stage, {**NEW}, "http://127.0.0.1:1")

    said = capsys.readouterr().out
    assert "CloudFormation is at work (UPDATE_IN_PROGRESS)" in said
    assert stage.live == OLD


def test_uploads_go_before_the_stack_that_knows_their_bucket(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []
    monkeypatch.setattr(remove, "asked", lambda expected, question: True)
    monkeypatch.setattr(remove, "empty", lambda stage, bucket: done.append("empty"))
    monkeypatch.setattr(stage, "serverless", done.append)
    monkeypatch.setattr(stage, "ask", lambda service, what, **_: done.append(what))
    stage.configuration["provider"] = {"region": "eu-central-1"}

    remove.remove(stage, "media", files=1)

    assert done == ["empty", "remove", "empty", "delete_bucket"]


def test_a_removal_that_stops_in_the_middle_says_what_is_live(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(remove, "heed_signals", lambda: None)
    monkeypatch.setattr(remove, "VersionedStage", lambda name: stage)
    monkeypatch.setattr(remove, "uploads", lambda stage: ("", 0))
    monkeypatch.setattr("builtins.input", lambda question: "prod")
    stage.configuration["provider"] = {"region": "eu-central-1"}

    def half_done(command: str) -> None:
        stage.live = {}
        raise Stopped("The Serverless CLI says why, above.")

    monkeypatch.setattr(stage, "serverless", half_done)
    monkeypatch.setattr("sys.argv", ["remove", "--stage", "prod"])

    assert remove.main() == 1

    assert lines(capsys)[-2:] == [
        "Before, the site was served by version 1; now by nothing.",
        "Next: mend it, then make remove STAGE=prod",
    ]


def test_a_stack_that_is_gone_is_not_at_work(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    def gone() -> Any:
        raise NotThere("There is no site-prod.")

    monkeypatch.setattr(stage, "describe", gone)

    assert stage.busy() == ""
