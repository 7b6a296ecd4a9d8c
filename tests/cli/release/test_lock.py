"""Two commands that change a stage at once, with the bucket and aliases of moto."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from apps.aws_lambda.cli.release import lock as module
from apps.aws_lambda.cli.release import remove, traffic
from apps.aws_lambda.cli.release.lock import Place, StageLock, place
from apps.aws_lambda.cli.release.stage import AliasMoved, Stage
from apps.aws_lambda.cli.report import DeployError
from tests.cli.release.test_canary import NAMES, Described, make_function
from tests.services.aws import AWS

BUCKET = "site-prod-deployments"
KEY = "serverless/site/prod/release-lock.json"


@pytest.fixture(scope="module")
def aws() -> Iterator[AWS]:
    with AWS() as aws:
        aws.client("s3").create_bucket(
            Bucket=BUCKET,
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        role = aws.client("iam").create_role(
            RoleName="site", AssumeRolePolicyDocument="{}"
        )["Role"]["Arn"]
        for name in NAMES:
            make_function(aws.client("lambda"), f"site-prod-{name}", role)
            aws.client("lambda").update_function_configuration(
                FunctionName=f"site-prod-{name}", MemorySize=256
            )
            aws.client("lambda").publish_version(FunctionName=f"site-prod-{name}")
        yield aws


@pytest.fixture
def stage(aws: AWS, monkeypatch: pytest.MonkeyPatch) -> Stage:
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    stage = Described()
    monkeypatch.setattr(
        stage, "outputs", lambda: {"ServerlessDeploymentBucketName": BUCKET}
    )
    traffic.move_back(stage, {}, dict.fromkeys(NAMES, "1"))
    return stage


@pytest.fixture(autouse=True)
def stored(aws: AWS) -> Iterator[Any]:
    """The object of the lock."""
    stored = boto3.resource(
        "s3",
        endpoint_url=aws.url,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    ).Object(BUCKET, KEY)
    yield stored
    stored.delete()


def age(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Make a lock that was written now look so old."""
    monkeypatch.setattr(module, "VALID_SECONDS", module.VALID_SECONDS - seconds)


def test_a_second_command_is_refused_with_the_owner_of_the_lock(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOGNAME", "ann")
    first, second = StageLock(stage, "deploy"), StageLock(stage, "rollback")

    with first:
        with pytest.raises(DeployError) as refused, second:
            pass
        first.check()

    assert str(refused.value).startswith("ann on ")
    assert "(deploy, since 20" in str(refused.value)
    assert "is changing stage prod." in str(refused.value)
    assert f"s3://{BUCKET}/{KEY}" in str(refused.value)
    assert "its lock is void in " in refused.value.advice
    with second:
        second.check()


def test_the_lock_of_a_command_that_was_killed_expires(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    killed, next_one = StageLock(stage, "deploy"), StageLock(stage, "deploy")
    killed.take()

    age(monkeypatch, module.VALID_SECONDS)
    next_one.take()
    monkeypatch.undo()

    # It was only asleep.
    killed.__exit__(None, None, None)
    next_one.check()
    next_one.__exit__(None, None, None)


def test_the_command_that_has_the_lock_is_known_to_others(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOGNAME", "ann")
    other = StageLock(stage, "info")
    assert other.holder() == ""

    with StageLock(stage, "deploy"):
        held = other.holder()
        age(monkeypatch, module.VALID_SECONDS)
        left = other.holder()
        monkeypatch.undo()

    assert held.startswith("ann on ")
    assert "(deploy, since 20" in held
    assert held.endswith(" is changing stage prod")
    assert left.endswith(" was killed, or lost its network or its session")


def test_a_lock_that_cannot_be_deleted_is_reported(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    lock = StageLock(stage, "deploy")
    with lock:

        def expire(**_: str) -> None:
            answer = {"Error": {"Code": "ExpiredToken", "Message": "It is expired."}}
            raise ClientError(answer, "DeleteObject")

        monkeypatch.setattr(lock._s3, "delete_object", expire)

    assert f"s3://{BUCKET}/{KEY}, could not be deleted" in capsys.readouterr().err
    # This process still runs.
    assert StageLock(stage, "info").holder()


def test_the_lock_of_a_process_of_this_machine_that_was_killed_is_free(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    killed = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: killed.pid)
        StageLock(stage, "deploy").take()

    with pytest.raises(DeployError, match="is changing stage prod"):
        StageLock(stage, "deploy").take()
    killed.kill()
    killed.communicate()

    with StageLock(stage, "deploy") as held:
        held.check()


def test_the_lock_of_another_machine_with_the_same_name_stays(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    with monkeypatch.context() as patch:
        patch.setattr("os.getpid", lambda: killed.pid)
        patch.setattr("uuid.getnode", lambda: 1)
        StageLock(stage, "deploy").take()

    with pytest.raises(DeployError, match="is changing stage prod"):
        StageLock(stage, "deploy").take()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"user": "ann"}'])
def test_a_lock_that_cannot_be_read_is_one(stage: Stage, stored: Any, text: str):
    stored.put(Body=text)

    with pytest.raises(DeployError, match=r"^Another command is changing stage prod"):
        StageLock(stage, "deploy").take()


def test_a_removal_that_is_refused_deletes_no_uploads(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(remove, "confirmed", lambda *_: True)
    monkeypatch.setattr(remove, "empty", lambda *_: pytest.fail("files were deleted"))

    with (
        StageLock(stage, "deploy"),
        pytest.raises(DeployError, match="is changing stage prod"),
    ):
        remove.remove(stage, "uploads", 3)


def test_of_two_commands_that_take_an_expired_lock_over_one_succeeds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stored: Any
):
    StageLock(stage, "deploy").take()
    age(monkeypatch, module.VALID_SECONDS)
    slow, quick = StageLock(stage, "deploy"), StageLock(stage, "deploy")
    read = slow._read

    def overtaken(found: Place) -> tuple[str, str, float]:
        answer = read(found)
        quick.take()
        return answer

    monkeypatch.setattr(slow, "_read", overtaken)

    with pytest.raises(DeployError, match="Another command has just taken"):
        slow.take()

    assert stored.get()["ETag"] == quick._etag


def test_the_lock_is_renewed_and_a_lost_one_stops_the_command(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stored: Any
):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.02)
    with StageLock(stage, "deploy") as held:
        first = stored.get()["ETag"]
        while stored.get()["ETag"] == first:
            pass
        held.check()

        stored.put(Body=json.dumps({"command": "x", "user": "b", "host": "c"}))
        while held.is_held:
            pass
        with pytest.raises(DeployError, match="has lost the lock of the stage"):
            held.check()

    # It belongs to another command.
    assert b'"user": "b"' in stored.get()["Body"].read()


def test_a_lock_is_held_although_the_response_to_a_write_was_lost(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stored: Any
):
    """boto3 repeats the call, and S3 refuses what it has executed."""
    make = stage.client

    def client(service: str) -> Any:
        s3 = make(service)
        put = s3.put_object
        monkeypatch.setattr(s3, "put_object", lambda **p: (put(**p), put(**p))[1])
        return s3

    monkeypatch.setattr(stage, "client", client)
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.02)
    with StageLock(stage, "deploy") as held:
        first = stored.get()["ETag"]
        while stored.get()["ETag"] == first and held.is_held:
            pass
        held.check()

    with pytest.raises(ClientError, match="NoSuchKey"):
        stored.get()


def test_a_lock_that_cannot_be_renewed_is_lost_when_it_expires(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.02)
    with StageLock(stage, "deploy") as held:
        unreachable: list[str] = []

        def fail(place: Place, **condition: str) -> None:
            unreachable.append(place.key)
            raise EndpointConnectionError(endpoint_url="https://s3")

        monkeypatch.setattr(held, "_write", fail)
        while len(unreachable) < 2:
            held.check()
        age(monkeypatch, module.VALID_SECONDS)

        with pytest.raises(DeployError, match="has lost the lock"):
            held.check()


def test_before_the_first_deployment_there_is_no_lock_until_there_is_a_bucket(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, stored: Any
):
    outputs = stage.outputs
    monkeypatch.setattr(stage, "outputs", dict)
    with StageLock(stage, "deploy") as held:
        held.check()
        monkeypatch.setattr(stage, "outputs", outputs)

        held.take()

        assert stored.get()
        with pytest.raises(DeployError, match="is changing stage"):
            StageLock(stage, "deploy").take()


def test_the_place_of_the_lock_follows_the_bucket_of_the_stage(stage: Stage):
    provider = stage.configuration["provider"]

    provider["deploymentBucket"] = {"name": "shared"}
    provider["deploymentPrefix"] = "sites"
    assert place(stage) == Place("shared", "sites/site/prod/release-lock.json")

    provider["deploymentBucket"] = "other"
    assert place(stage) == Place("other", "sites/site/prod/release-lock.json")


# Aliases


def test_an_alias_that_another_command_has_moved_is_not_shifted(stage: Stage):
    stage.set_alias("tasks", "3")

    with pytest.raises(AliasMoved, match="of site-prod-tasks to version 3; it was 1"):
        traffic.shift(stage, dict.fromkeys(NAMES, "1"), dict.fromkeys(NAMES, "2"))

    assert stage.versions()["tasks"] == "3"


def test_the_success_of_another_release_is_not_taken_back(
    stage: Stage, capsys: pytest.CaptureFixture[str]
):
    for name in NAMES:
        stage.set_alias(name, "2")
    stage.set_alias("http", "3")

    traffic.move_back(stage, dict.fromkeys(NAMES, "2"), dict.fromkeys(NAMES, "1"))

    assert stage.versions() == {**dict.fromkeys(NAMES, "1"), "http": "3"}
    assert "to version 3; it was 2. It stays." in capsys.readouterr().out


def test_an_alias_is_moved_only_as_it_was_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
):
    """AWS compares the revision; moto does not."""
    call, revisions = stage.call, []

    def record(service: str, operation: str, **parameters: Any) -> Any:
        answer = call(service, operation, **parameters)
        if operation == "get_alias":
            revisions.append(answer["RevisionId"])
        if operation == "update_alias":
            revisions.append(parameters["RevisionId"])
        return answer

    monkeypatch.setattr(stage, "call", record)

    stage.set_alias("http", "2", instead_of="1")

    assert len(revisions) == 2
    assert revisions[0] == revisions[1]
