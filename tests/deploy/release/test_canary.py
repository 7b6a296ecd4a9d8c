"""A shift bit by bit: boto3 asks a CodeDeploy that moves the alias in a local AWS."""

import io
from collections.abc import Iterator
from typing import Any
from zipfile import ZipFile

import pytest

from deploy.release import traffic
from deploy.release.versions import VersionedStage, Versions
from deploy.report import Stopped
from local.execution_environment import ExecutionEnvironment
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
    """Make a function with two versions, of which the first is live."""
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
    monkeypatch.setattr(traffic, "INTERVAL", 0.01)
    with LocalLambda(aws, no_function) as server:
        server.between = codedeploy
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield codedeploy


class Described(VersionedStage):
    """A stage whose serverless.yml need not be read."""

    def __init__(self) -> None:
        self.name = "prod"
        self.configuration = {
            "service": "site",
            "provider": {"region": "eu-central-1"},
            "functions": {name: {"name": f"site-prod-{name}"} for name in NAMES},
        }


@pytest.fixture
def stage(codedeploy: CodeDeploy) -> VersionedStage:
    stage = Described()
    traffic.give_back(stage, OLD)
    return stage


def test_the_visitors_come_bit_by_bit_and_events_at_once(
    stage: VersionedStage,
    codedeploy: CodeDeploy,
    capsys: pytest.CaptureFixture[str],
):
    traffic.shift(stage, NEW, gradually=True)

    assert stage.versions() == NEW
    assert not stage.shifting()
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert said[0].startswith("CodeDeploy does it, as deployment ")
    assert said[1:] == ["InProgress", "Succeeded"]
    assert codedeploy.plan == {
        "Name": "site-prod-http",
        "Alias": "live",
        "CurrentVersion": "1",
        "TargetVersion": "2",
    }


def test_an_alarm_ends_the_shift_and_its_reason_is_told(
    stage: VersionedStage, codedeploy: CodeDeploy
):
    codedeploy.alarm = True

    with pytest.raises(Stopped, match="Stopped, One or more alarms ring"):
        traffic.shift(stage, NEW, gradually=True)

    assert stage.versions() == {**NEW, "http": "1"}
    assert not stage.shifting()


def test_an_interrupt_in_the_middle_stops_the_shift_and_has_it_undone(
    stage: VersionedStage, codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
):
    shared = []

    def interrupted(seconds: float) -> None:
        shared.append(stage.shifting())
        raise KeyboardInterrupt

    monkeypatch.setattr("deploy.release.traffic.time.sleep", interrupted)

    with pytest.raises(KeyboardInterrupt) as interrupt:
        traffic.shift(stage, NEW, gradually=True)

    assert shared == [True]
    assert codedeploy.status == "Stopped"
    assert stage.versions()["http"] == "1"
    assert not stage.shifting()
    assert not hasattr(interrupt.value, "__notes__")


def test_a_shift_that_nobody_can_watch_is_stopped(
    stage: VersionedStage, codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
):
    ask = stage.ask

    def expired(service: str, operation: str, **parameters: Any) -> Any:
        if operation == "get_deployment":
            raise Stopped("AWS refuses codedeploy get_deployment: it has expired")
        return ask(service, operation, **parameters)

    monkeypatch.setattr(stage, "ask", expired)

    with pytest.raises(Stopped, match="refuses codedeploy get_deployment"):
        traffic.shift(stage, NEW, gradually=True)

    assert codedeploy.status == "Stopped"
    assert stage.versions()["http"] == "1"


def test_a_shift_that_began_while_it_was_interrupted_is_stopped(
    stage: VersionedStage, codedeploy: CodeDeploy, monkeypatch: pytest.MonkeyPatch
):
    ask = stage.ask

    def interrupted(service: str, operation: str, **parameters: Any) -> Any:
        answer = ask(service, operation, **parameters)
        if operation == "create_deployment":
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr(stage, "ask", interrupted)

    with pytest.raises(KeyboardInterrupt):
        traffic.shift(stage, NEW, gradually=True)

    assert codedeploy.status == "Stopped"
    assert stage.versions()["http"] == "1"


def test_a_group_that_does_not_exist_is_told(stage: VersionedStage):
    stage.configuration["service"] = "other"

    with pytest.raises(Stopped, match="refuses codedeploy create_deployment") as error:
        traffic.shift(stage, NEW, gradually=True)

    # Nothing has begun, so there is nothing to stop.
    assert not hasattr(error.value, "__notes__")
    assert stage.versions()["http"] == "1"
