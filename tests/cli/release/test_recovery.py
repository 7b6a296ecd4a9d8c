"""The report of a failure, also when the cleanup fails."""

import io
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError

from apps.aws_lambda.cli.release import deploy as cli
from apps.aws_lambda.cli.release import release, remove, rollback, state, traffic
from apps.aws_lambda.cli.release.errors import NoAccess, NotFound
from apps.aws_lambda.cli.release.stage import LIVE, PREVIOUS
from apps.aws_lambda.cli.report import DeployError
from apps.aws_lambda.commands.remote.access import Barrier
from tests.cli.release.aliases import NEW, OLD, Aliases, healthy

EXPIRED = "The AWS session has expired (ExpiredToken)."
AGAIN = "make deploy STAGE=prod"


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Aliases:
    """A stage with the old version live, and a stack that is not updating."""
    stage = Aliases(OLD)
    monkeypatch.setattr(cli, "interrupt_on_signals", lambda: None)
    monkeypatch.setattr(cli, "Stage", lambda name, parameters, region: stage)
    monkeypatch.setattr(cli, "check_ready", lambda stage: {**OLD})
    monkeypatch.setattr("sys.argv", ["release", "--stage", "prod"])
    return stage


def refuse(*args: Any, **kwargs: Any) -> Any:
    raise NoAccess(Barrier(EXPIRED, "log in"))


def interrupt(*args: Any, **kwargs: Any) -> Any:
    raise KeyboardInterrupt


def fail(*args: Any) -> Any:
    raise DeployError(
        "`serverless deploy` failed with exit code 1; its output is above."
    )


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_failed_deployment_is_reported_before_its_failed_cleanup(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def expire_and_fail(*args: Any) -> None:
        monkeypatch.setattr(stage, "stack", refuse)
        fail()

    monkeypatch.setattr(release, "parameters_version", lambda stage: "1")
    monkeypatch.setattr(stage, "serverless", expire_and_fail)
    stage.progress.answer(OLD)

    assert cli.main() == 1

    assert lines(capsys) == [
        "",
        "`serverless deploy` failed with exit code 1; its output is above.",
        "The cleanup failed: Wait for CloudFormation, and restore the live versions.",
        EXPIRED,
        "When AWS last answered, the site was served by version 1.",
        release.WITH_LIVE,
        "What is live now is unknown. To ask: make info STAGE=prod",
        f"Next: log in, then run: {AGAIN}",
    ]


def test_an_interrupted_wait_reports_that_cloudformation_is_updating(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(release, "deploy", interrupt)
    monkeypatch.setattr(stage, "stack", lambda: {"StackStatus": "UPDATE_IN_PROGRESS"})
    monkeypatch.setattr("apps.aws_lambda.cli.release.stage.time.sleep", interrupt)

    assert cli.main() == 130

    assert lines(capsys) == [
        "",
        "Interrupted.",
        "The cleanup failed: Wait for CloudFormation, and restore the live versions.",
        "Interrupted.",
        "The site is served by version 1, as before.",
        "CloudFormation is updating the stack (UPDATE_IN_PROGRESS), which may change "
        "that. Wait until it has finished: make info STAGE=prod",
        f"Next: {AGAIN}",
    ]


def test_an_interrupted_move_back_reports_the_live_versions(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for done_before in ("deploy", "run_command", "check_health"):
        monkeypatch.setattr(release, done_before, lambda *args: None)
    monkeypatch.setattr(stage, "published", lambda: NEW)
    monkeypatch.setattr(stage, "public_url", lambda: "https://example.com")
    stage.configuration["custom"] = {"deployment": {"trafficShift": "AllAtOnce"}}
    monkeypatch.setattr(traffic, "check_site", interrupt)
    point = stage.set_alias

    def interrupted(name: str, version: str, alias: str = "live", **_: Any) -> None:
        # After the first has moved back.
        if (name, version, alias) == ("tasks", OLD["tasks"], "live"):
            raise KeyboardInterrupt
        point(name, version, alias)

    monkeypatch.setattr(stage, "set_alias", interrupted)

    assert cli.main() == 130

    assert lines(capsys)[-5:] == [
        "Interrupted.",
        "The site was served by version 1, and now by versions http 1, tasks 3, "
        "schedule 2, manage 2.",
        "Deployed: versions http 2, tasks 3, schedule 2, manage 2.",
        "The migrations of versions http 2, tasks 3, schedule 2, manage 2 are applied.",
        f"Next: {AGAIN}",
    ]


def test_an_interrupted_report_ends_with_the_next_command(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(stage, "versions", interrupt)

    state.report_failure(KeyboardInterrupt(), stage, OLD, AGAIN)

    assert lines(capsys)[-1] == f"Next: {AGAIN}"


def test_a_failure_to_stop_codedeploy_is_a_note_of_the_first_error(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    def asked(service: str, operation: str, **parameters: Any) -> Any:
        match operation:
            case "create_deployment":
                return {"deploymentId": "d-1"}
            case "get_deployment":
                raise DeployError("The first.")
        raise DeployError("The second.")

    monkeypatch.setattr(stage, "call", asked)

    with pytest.raises(DeployError, match="The first") as stopped:
        traffic.shift(stage, OLD, NEW, healthy)

    [note] = stopped.value.__notes__
    assert note.endswith(
        "Stop the CodeDeploy deployment and roll it back.\nThe second."
    )


def test_an_unreadable_stage_is_reported_as_unchanged(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(cli, "Stage", fail)

    assert cli.main() == 1

    assert "Nothing was changed." in lines(capsys)


def test_an_interrupted_first_release_reports_that_cloudformation_is_updating(
    stage: Aliases,
):
    stage.live = {}
    stage.status = "CREATE_IN_PROGRESS"

    assert state.state(stage, {}) == (
        "Nothing is live.\n"
        "CloudFormation is updating the stack (CREATE_IN_PROGRESS), which may change "
        "that. Wait until it has finished: make info STAGE=prod"
    )


def test_a_rollback_to_an_unreachable_site_reports_what_is_live(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    stage.live = {**NEW}
    found = {PREVIOUS: OLD, LIVE: stage.live}
    monkeypatch.setattr(stage, "versions", lambda alias=LIVE: {**found[alias]})
    monkeypatch.setattr(stage, "is_shifting", lambda: False)
    monkeypatch.setattr(stage, "set_previous", lambda versions: None)
    monkeypatch.setattr(rollback, "interrupt_on_signals", lambda: None)
    monkeypatch.setattr(rollback, "Stage", lambda name, region: stage)
    monkeypatch.setattr(traffic, "SITE_SECONDS", 0)
    # Nothing listens on port 1.
    arguments = ["rollback", "--stage", "prod", "--url", "http://127.0.0.1:1"]
    monkeypatch.setattr("sys.argv", arguments)

    assert rollback.main() == 1

    output = lines(capsys)
    assert "could not be reached" in output[1]
    assert output[-2:] == [
        "The site was served by versions http 2, tasks 3, schedule 2, manage 2, and "
        "now by version 1.",
        "Next: fix the problem above, then run: make info STAGE=prod",
    ]


class Gone(io.TextIOBase):
    """A closed terminal, or a pipe without a reader."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_closed_terminal_does_not_prevent_the_move_back(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(release, "deploy", lambda stage, live: None)
    monkeypatch.setattr(release, "run_command", lambda *args: None)
    monkeypatch.setattr(release, "check_health", lambda *args: None)
    monkeypatch.setattr(stage, "published", lambda: {**NEW})
    monkeypatch.setattr(stage, "public_url", lambda: "http://127.0.0.1:1")
    stage.configuration["custom"] = {"deployment": {"trafficShift": "AllAtOnce"}}

    def close(*args: object) -> None:
        assert stage.live == NEW
        monkeypatch.setattr(sys, "stdout", Gone())
        monkeypatch.setattr(sys, "stderr", Gone())
        raise KeyboardInterrupt

    monkeypatch.setattr(traffic, "check_site", close)

    assert cli.main() == 130

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
def test_the_next_command_repeats_the_options(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    command: str,
):
    monkeypatch.setattr(release, "deploy", fail)
    monkeypatch.setattr("sys.argv", ["release", *arguments.split()])

    assert cli.main() == 1

    assert lines(capsys)[-1] == f"Next: fix the problem above, then run: {command}"


def test_a_rollback_during_an_update_prints_a_warning(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    stage.live, stage.status = {**NEW}, "UPDATE_IN_PROGRESS"
    found = {PREVIOUS: OLD, LIVE: stage.live}
    monkeypatch.setattr(stage, "versions", lambda alias=LIVE: {**found[alias]})
    monkeypatch.setattr(stage, "is_shifting", lambda: False)
    monkeypatch.setattr(traffic, "check_site", lambda *args: None)

    rollback.roll_back(stage, {**NEW}, "http://127.0.0.1:1")

    output = capsys.readouterr().out
    assert "CloudFormation is updating the stack (UPDATE_IN_PROGRESS)" in output
    assert stage.live == OLD


def test_uploads_are_deleted_before_the_stack(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    done: list[str] = []
    monkeypatch.setattr(remove, "confirmed", lambda expected, question: True)
    monkeypatch.setattr(remove, "empty", lambda stage, bucket: done.append("empty"))
    monkeypatch.setattr(stage, "serverless", done.append)
    monkeypatch.setattr(stage, "call", lambda service, what, **_: done.append(what))
    stage.configuration["provider"] = {"region": "eu-central-1"}

    remove.remove(stage, "media", files=1)

    assert done == ["empty", "remove", "empty", "delete_bucket"]


def test_a_removal_that_ends_with_the_session_reports_what_may_be_gone(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def expire(*_: object) -> Any:
        monkeypatch.setattr(stage, "versions", refuse)
        answer = {"Error": {"Code": "ExpiredToken", "Message": "It is expired."}}
        raise ClientError(answer, "DeleteObjects")

    monkeypatch.setattr(remove, "interrupt_on_signals", lambda: None)
    monkeypatch.setattr(remove, "Stage", lambda name, region: stage)
    monkeypatch.setattr(remove, "uploads", lambda stage: ("media", 3))
    monkeypatch.setattr(remove, "confirmed", lambda expected, question: True)
    monkeypatch.setattr(remove, "object_versions", expire)
    stage.progress.answer(OLD)

    assert remove.main(["--stage", "prod"]) == 1

    output = lines(capsys)
    assert output[1] == (
        "Could not call s3 delete_objects in media. The AWS session has expired "
        "(ExpiredToken)."
    )
    assert output[-4:-1] == [
        "When AWS last answered, the site was served by version 1.",
        "Files in media may have been deleted.",
        "What is live now is unknown. To ask: make info STAGE=prod",
    ]
    assert output[-1].endswith(", then run: make remove STAGE=prod")


def test_an_unfinished_removal_reports_what_is_live(
    stage: Aliases,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.setattr(remove, "interrupt_on_signals", lambda: None)
    monkeypatch.setattr(remove, "Stage", lambda name, region: stage)
    monkeypatch.setattr(remove, "uploads", lambda stage: ("", 0))
    monkeypatch.setattr("builtins.input", lambda question: "prod")
    stage.configuration["provider"] = {"region": "eu-central-1"}

    def half_done(command: str) -> None:
        stage.live = {}
        raise DeployError(
            "`serverless deploy` failed with exit code 1; its output is above."
        )

    monkeypatch.setattr(stage, "serverless", half_done)
    monkeypatch.setattr("sys.argv", ["remove", "--stage", "prod"])

    assert remove.main() == 1

    assert lines(capsys)[-2:] == [
        "The site was served by version 1, and now by nothing.",
        "Next: fix the problem above, then run: make remove STAGE=prod",
    ]


def test_a_missing_stack_is_not_updating(
    stage: Aliases, monkeypatch: pytest.MonkeyPatch
):
    def gone() -> Any:
        raise NotFound("There is no site-prod.")

    monkeypatch.setattr(stage, "stack", gone)

    assert stage.update_status() == ""
