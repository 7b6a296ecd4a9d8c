"""Each command without credentials, without a network, and behind a proxy."""

from importlib import import_module
from typing import Any

import boto3
import pytest

from apps.aws_lambda.cli import __main__
from apps.aws_lambda.cli.__main__ import COMMANDS
from apps.aws_lambda.cli.release import serverless
from tests.services.http_stub import HttpStub

# The further arguments of the commands, and what is run after the problem is solved.
AGAIN = {
    "bootstrap": (
        ["--subject", "repo:ann/shop"],
        "make bootstrap STAGE=prod ARGS='--subject repo:ann/shop'",
    ),
    "bucket": ([], "make bucket STAGE=prod"),
    "deploy": (["--at-once"], "make deploy STAGE=prod ARGS=--at-once"),
    "doctor": ([], "make doctor STAGE=prod"),
    "info": ([], "make info STAGE=prod"),
    "logs": (["--function", "tasks"], "make logs STAGE=prod FUNCTION=tasks"),
    "remove": ([], "make remove STAGE=prod"),
    # A second rollback undoes the first.
    "rollback": ([], "make info STAGE=prod"),
    "rotate": (["secret-key"], "make rotate STAGE=prod ARGS=secret-key"),
}
UNCHANGED = ("deploy", "remove", "rollback", "rotate")


@pytest.fixture(autouse=True)
def _stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage of this site, on a machine where nothing is configured."""
    names = ("http", "tasks", "schedule", "manage")
    configuration: dict[str, Any] = {
        "service": "shop",
        "provider": {
            "region": "eu-central-1",
            "environment": {
                "SECRET_KEY": "ssm:/shop/prod/secret-key",
                "SECRET_KEY_FALLBACKS": "ssm:/shop/prod/fallbacks",
            },
        },
        "custom": {"deployment": {"endpointsVpc": "", "trafficShift": "AllAtOnce"}},
        "functions": {name: {"name": f"shop-prod-{name}"} for name in names},
    }
    monkeypatch.setattr(serverless, "read", lambda options: configuration)
    # It would keep the credentials of an earlier test.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


def run(name: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what a command that fails writes to standard error."""
    module = import_module(COMMANDS[name][0], __main__.__package__)
    arguments, _ = AGAIN[name]
    assert module.main(["--stage", "prod", *arguments]) == 1
    return capsys.readouterr().err.strip().splitlines()


def test_every_command_of_a_stage_is_tried():
    local = {"adopt", "capacity", "check", "package", "run", "schedule"}
    assert {*AGAIN} == {*COMMANDS} - local


@pytest.mark.parametrize("name", AGAIN)
def test_without_credentials_the_way_to_them_is_printed(
    name: str, capsys: pytest.CaptureFixture[str]
):
    lines = run(name, capsys)

    assert "There are no AWS credentials: Unable to locate credentials." in lines[0]
    assert lines[1:-1] == ["Nothing was changed."] * (name in UNCHANGED)
    assert lines[-1] == (
        "Next: name a profile of ~/.aws/config in AWS_PROFILE, or make one with "
        "`aws configure sso` (docs/troubleshoot.md#credentials), then run: "
        f"{AGAIN[name][1]}"
    )


@pytest.mark.parametrize("name", AGAIN)
def test_without_a_network_the_host_is_printed(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    # Nothing listens there.
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    lines = run(name, capsys)

    assert "No connection to 127.0.0.1:1: Failed to establish a new" in lines[0]
    assert lines[1:-1] == ["Nothing was changed."] * (name in UNCHANGED)
    assert lines[-1].startswith("Next: check the network of this machine, and that ")
    assert lines[-1].endswith(
        f"(docs/troubleshoot.md#network), then run: {AGAIN[name][1]}"
    )


# The line break has no end tag: it is not XML.
PAGE = "<!DOCTYPE html><html><head><title>Blocked</title></head><body><br></html>"


def serve(stub: HttpStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)


@pytest.mark.parametrize("status", [200, 302, 403])
@pytest.mark.parametrize("name", AGAIN)
def test_behind_a_proxy_that_blocks_its_page_is_named(
    name: str,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    with HttpStub(lambda request: (status, PAGE)) as stub:
        serve(stub, monkeypatch)
        lines = run(name, capsys)

    reason = f'but has status {status} and the title "Blocked".'
    assert f"The response is not that of AWS, {reason}" in lines[0]
    assert lines[1:-1] == ["Nothing was changed."] * (name in UNCHANGED)
    assert lines[-1] == (
        "Next: check the proxy and the VPN of this machine, which must let the "
        "requests to AWS through (docs/troubleshoot.md#network), then run: "
        f"{AGAIN[name][1]}"
    )


@pytest.mark.parametrize("name", AGAIN)
def test_a_failure_of_aws_is_named_and_tried_again(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    with HttpStub(lambda request: (503, PAGE)) as stub:
        serve(stub, monkeypatch)
        lines = run(name, capsys)

    failed = "AWS, or a proxy on the way, has failed with 503 (Service Unavailable)."
    assert failed in lines[0]
    assert lines[-1] == f"Next: wait a minute, then run: {AGAIN[name][1]}"
