"""Gradual shifts, with a CodeDeploy that moves the alias in a local AWS."""

import io
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import pytest

from apps.aws_lambda.cli.lambda_service import ExecutionEnvironment
from apps.aws_lambda.cli.release import state, traffic
from apps.aws_lambda.cli.release.errors import NoAccess
from apps.aws_lambda.cli.release.progress import Versions
from apps.aws_lambda.cli.release.stage import Stage, describe
from apps.aws_lambda.cli.report import DeployError
from apps.aws_lambda.commands.remote.access import Barrier
from tests.cli.release.aliases import healthy
from tests.services.aws import AWS
from tests.services.code_deploy import CodeDeploy
from tests.services.local_lambda import LocalLambda

NAMES = ("http", "tasks", "schedule", "manage")
OLD: Versions = dict.fromkeys(NAMES, "1")
NEW: Versions = dict.fromkeys(NAMES, "2")


@pytest.fixture(scope="module")
def aws() -> Iterator[AWS]:
    with AWS() as aws:
        role = aws.client("iam").create_role(
            RoleName="site", AssumeRolePolicyDocument="{}"
        )["Role"]["Arn"]
        for name in NAMES:
            make_function(aws.client("lambda"), f"site-prod-{name}", role)
        codedeploy = aws.client("codedeploy")
        codedeploy.create_application(
            applicationName="site-prod", computePlatform="Lambda"
        )
        codedeploy.create_deployment_group(
            applicationName="site-prod",
            deploymentGroupName="http",
            deploymentConfigName="CodeDeployDefault.LambdaCanary10Percent5Minutes",
            serviceRoleArn=role,
        )
        yield aws


def make_function(client: Any, name: str, role: str) -> None:
    """Create a function with two versions, of which the first is live."""
    file = io.BytesIO()
    ZipFile(file, "w").close()
    client.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="site.handler",
        Code={"ZipFile": file.getvalue()},
        Publish=True,
    )
    client.update_function_configuration(FunctionName=name, MemorySize=512)
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")


def no_function(name: str, qualifier: str) -> ExecutionEnvironment:
    raise LookupError(name)


@pytest.fixture
def codedeploy(aws: AWS, monkeypatch: pytest.MonkeyPatch) -> Iterator[CodeDeploy]:
    codedeploy = CodeDeploy(aws)
    monkeypatch.setattr(traffic, "POLL_SECONDS", 0.01)
    with LocalLambda(aws, no_function) as server:
        server.between = codedeploy
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield codedeploy


class Described(Stage):
    """A stage without serverless.yml."""

    def __init__(self) -> None:
        self.name = "prod"
        self.configuration = {
            "service": "site",
            "provider": {"region": "eu-central-1"},
            "functions": {name: {"name": f"site-prod-{name}"} for name in NAMES},
        }


@pytest.fixture
def stage(codedeploy: CodeDeploy) -> Stage:
    stage = Described()
    traffic.move_back(stage, {}, OLD)
    return stage


def test_only_the_web_function_shifts_gradually(
    stage: Stage,
    codedeploy: CodeDeploy,
    capsys: pytest.CaptureFixture[str],
):
    traffic.shift(stage, OLD, NEW, healthy)

    assert stage.versions() == NEW
    assert not stage.is_shifting()
    output = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert output[0].startswith("CodeDeploy deployment ")
    assert output[1:] == ["InProgress", "Succeeded"]
    assert codedeploy.plan == {
        "Name": "site-prod-http",
        "Alias": "live",
        "CurrentVersion": "1",
        "TargetVersion": "2",
    }


def test_an_alarm_ends_the_shift_and_is_reported(stage: Stage, codedeploy: CodeDeploy):
    codedeploy.alarm = True

    with pytest.raises(DeployError, match="Stopped, One or more alarms ring"):
        traffic.shift(stage, OLD, NEW, healthy)

    assert stage.versions() == {**NEW, "http": "1"}
    assert not stage.is_shifting()


def test_an_interrupt_stops_the_shift_and_rolls_it_back(
    stage: Stage, codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
):
    shared = []

    def interrupted(seconds: float) -> None:
        shared.append(stage.is_shifting())
        raise KeyboardInterrupt

    monkeypatch.setattr("apps.aws_lambda.cli.release.traffic.time.sleep", interrupted)

    with pytest.raises(KeyboardInterrupt) as interrupt:
        traffic.shift(stage, OLD, NEW, healthy)

    assert shared == [True]
    assert codedeploy.status == "Stopped"
    assert stage.versions()["http"] == "1"
    assert not stage.is_shifting()
    assert not hasattr(interrupt.value, "__notes__")


def test_a_shift_whose_status_is_unavailable_is_stopped(
    stage: Stage, codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
):
    ask = stage.call

    def expired(service: str, operation: str, **parameters: Any) -> Any:
        if operation == "get_deployment":
            raise DeployError("AWS refused codedeploy get_deployment: it has expired")
        return ask(service, operation, **parameters)

    monkeypatch.setattr(stage, "call", expired)

    with pytest.raises(DeployError, match="refused codedeploy get_deployment"):
        traffic.shift(stage, OLD, NEW, healthy)

    assert codedeploy.status == "Stopped"
    assert stage.versions()["http"] == "1"


EXPIRED = NoAccess(Barrier("The AWS session has expired.", "log in"))


def test_a_shift_that_outlives_the_session_is_reported_as_one_that_continues(
    stage: Stage, codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
):
    ask, ended = stage.call, False

    def expire(service: str, operation: str, **parameters: Any) -> Any:
        nonlocal ended
        ended = ended or codedeploy.status == "InProgress"
        if ended:
            raise EXPIRED
        return ask(service, operation, **parameters)

    stage.versions()
    monkeypatch.setattr(stage, "call", expire)
    with pytest.raises(NoAccess) as raised:
        traffic.shift(stage, OLD, NEW, healthy)
    monkeypatch.undo()

    [note] = raised.value.__notes__
    assert note.startswith("The cleanup failed: Stop the CodeDeploy deployment")
    report = state.last_known(stage, OLD)
    now = "versions http 1, tasks 2, schedule 2, manage 2"
    assert f"When AWS last answered, it was served by {now}: this was not" in report
    assert f"CodeDeploy's deployment {codedeploy.id} was in progress." in report
    # AWS has refused to stop it.
    assert "may have moved" not in report
    # As it does.
    codedeploy.go_on()
    assert codedeploy.status == "Succeeded"


def test_a_move_whose_answer_was_lost_is_reported_as_one_that_may_have_happened(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    ask = stage.call

    def lose(service: str, operation: str, **parameters: Any) -> Any:
        answer = ask(service, operation, **parameters)
        if operation == "update_alias":
            raise NoAccess(Barrier("No connection to lambda.", "check", answered=False))
        return answer

    stage.versions()
    monkeypatch.setattr(stage, "call", lose)
    with pytest.raises(NoAccess):
        traffic.shift(stage, OLD, NEW)

    report = state.last_known(stage, OLD)
    assert "When AWS last answered, the site was served by version 1." in report
    assert "manage may have moved to version 2." in report
    # AWS answers again.
    assert state.state(stage, OLD) == (
        "The site was served by version 1, and now by versions http 1, tasks 1, "
        "schedule 1, manage 2."
    )


def test_a_move_that_was_refused_is_not_reported_as_one_that_may_have_happened(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    ask = stage.call

    def expire(service: str, operation: str, **parameters: Any) -> Any:
        if operation == "update_alias" and "tasks" in parameters["FunctionName"]:
            raise EXPIRED
        return ask(service, operation, **parameters)

    stage.versions()
    monkeypatch.setattr(stage, "call", expire)
    with pytest.raises(NoAccess):
        traffic.shift(stage, OLD, NEW)

    report = state.last_known(stage, OLD)
    now = "versions http 1, tasks 1, schedule 2, manage 2"
    assert f"it was served by {now}: this was not taken back." in report
    assert "may have moved" not in report
    assert describe(stage.versions()) == now


def test_a_shift_that_starts_during_an_interrupt_is_stopped(
    stage: Stage, codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
):
    ask = stage.call

    def interrupted(service: str, operation: str, **parameters: Any) -> Any:
        answer = ask(service, operation, **parameters)
        if operation == "create_deployment":
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(stage, "call", interrupted)

    with pytest.raises(KeyboardInterrupt):
        traffic.shift(stage, OLD, NEW, healthy)

    assert codedeploy.status == "Stopped"
    assert stage.versions()["http"] == "1"


def test_a_missing_deployment_group_is_reported(stage: Stage):
    stage.configuration["service"] = "other"

    with pytest.raises(
        DeployError, match="refused codedeploy create_deployment"
    ) as error:
        traffic.shift(stage, OLD, NEW, healthy)

    # Nothing started, so nothing needs to be stopped.
    assert not hasattr(error.value, "__notes__")
    assert stage.versions()["http"] == "1"


def test_a_new_version_that_is_not_healthy_never_gets_all_traffic(
    stage: Stage, codedeploy: CodeDeploy
):
    """It may answer too few users for an alarm, or none."""
    shared = []

    def check() -> None:
        shared.append(stage.is_shifting())
        raise DeployError("Version 2 failed its health check.")

    with pytest.raises(DeployError, match="failed its health check"):
        traffic.shift(stage, OLD, NEW, check)

    assert shared == [True]
    assert codedeploy.status == "Stopped"
    assert stage.versions()["http"] == "1"
    assert not stage.is_shifting()
