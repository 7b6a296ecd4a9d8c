"""The command that prepares an account, against a local AWS and a program `gh`."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.aws_lambda.cli.bootstrap import command, github
from apps.aws_lambda.cli.release.errors import NoAccess
from apps.aws_lambda.cli.report import DeployError
from apps.aws_lambda.commands.remote.access import Barrier
from tests.cli.bootstrap import roles
from tests.cli.release.aliases import OLD, Aliases
from tests.services.aws import AWS, REGION
from tests.services.aws_requests import ACCOUNT
from tests.services.iam import Access, is_allowed

STACK = "site-prod"
PREFIX = "repo:ann@1/shop@2"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"


class Account(Aliases):
    """The stage prod of a service, in an account of a local AWS."""

    def __init__(self, aws: AWS) -> None:
        super().__init__(OLD)
        self.aws = aws
        self.configuration["provider"] = {"region": REGION}

    def client(self, service: str) -> Any:
        return self.aws.client(service)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    monkeypatch.setattr(roles, "STACK", STACK)
    with AWS() as aws:
        monkeypatch.setattr(command, "Stage", lambda name, region: Account(aws))
        yield aws


@pytest.fixture
def gh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of what `gh api` prints; without it, gh fails."""
    program, answer = tmp_path / "gh", tmp_path / "answer"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = api ] && echo "$2" > {tmp_path}/asked && '
        f"cat {answer} 2>/dev/null || {{ echo HTTP 404: Not Found >&2; exit 1; }}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return answer


def subject(aws: AWS) -> str:
    role = aws.client("iam").get_role(RoleName=f"{STACK}-deployment")["Role"]
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    key = "token.actions.githubusercontent.com:sub"
    return str(trust["Condition"]["StringEquals"][key])


def bootstrap(*arguments: str) -> int:
    return command.main(["--stage", "prod", *arguments])


def test_the_role_of_a_stage_is_made_and_printed(
    aws: AWS, capsys: pytest.CaptureFixture[str]
):
    assert bootstrap("--subject", PREFIX) == 0

    role = aws.client("iam").get_role(RoleName=f"{STACK}-deployment")["Role"]
    output = capsys.readouterr().out
    assert subject(aws) == f"{PREFIX}:environment:prod"
    assert f"gh variable set AWS_ROLE_ARN --env prod --body {role['Arn']}\n" in output
    assert "params, prod: bootstrap: true" in output
    [provider] = providers(aws)
    assert provider == PROVIDER


def providers(aws: AWS) -> list[str]:
    answer = aws.client("iam").list_open_id_connect_providers()
    return [entry["Arn"] for entry in answer["OpenIDConnectProviderList"]]


@pytest.mark.parametrize(
    ("answer", "prefix"),
    [
        ({"use_default": True, "sub_claim_prefix": PREFIX}, PREFIX),
        # Of a repository that has the subject without IDs.
        ({"use_default": True, "sub_claim_prefix": "repo:ann/shop"}, "repo:ann/shop"),
        ({"use_default": True}, "repo:ann/shop"),
        (
            {"use_default": False, "include_claim_keys": ["repo", "context"]},
            "repo:ann/shop",
        ),
    ],
)
def test_github_is_asked_for_the_subject_of_a_repository(
    aws: AWS, gh: Path, answer: dict[str, Any], prefix: str
):
    gh.write_text(json.dumps(answer))

    assert bootstrap("--repo", "ann/shop") == 0

    asked = gh.with_name("asked").read_text()
    assert asked == "repos/ann/shop/actions/oidc/customization/sub\n"
    assert subject(aws) == f"{prefix}:environment:prod"


def test_a_subject_of_other_claims_is_refused_with_the_command(
    gh: Path, capsys: pytest.CaptureFixture[str]
):
    claims = ["repo", "job_workflow_ref"]
    gh.write_text(json.dumps({"use_default": False, "include_claim_keys": claims}))

    assert bootstrap("--repo", "ann/shop") == 1

    errors = capsys.readouterr().err
    assert "claims repo, job_workflow_ref" in errors
    assert "Next: gh api --method PUT --field use_default=true repos/ann" in errors


def test_both_forms_of_a_subject_are_explained_if_github_does_not_answer(
    gh: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    assert bootstrap("--repo", "ann/shop") == 1
    failed = capsys.readouterr().err
    # Of the Serverless CLI, which reads serverless.yml.
    node = tmp_path / "programs" / "node"
    node.parent.mkdir()
    node.symlink_to(shutil.which("node") or "")
    monkeypatch.setenv("PATH", str(node.parent))
    assert bootstrap("--repo", "ann/shop") == 1
    missing = capsys.readouterr().err

    assert "HTTP 404: Not Found" in failed
    assert "was not found on PATH" in missing
    for errors in (failed, missing):
        assert "--subject repo:owner@OWNER_ID/name@REPO_ID\n" in errors
        assert "--subject repo:owner/name\n" in errors


@pytest.mark.parametrize(
    "wrong",
    ["repo:ann/*", "repo:*/shop", "ann/shop", "repo:ann@1/shop@2:environment:a"],
)
def test_a_subject_that_is_not_one_repository_is_refused(
    wrong: str, capsys: pytest.CaptureFixture[str]
):
    assert bootstrap("--subject", wrong) == 1

    assert f'--subject is "{wrong}", and must be repo:' in capsys.readouterr().err


def test_a_repository_without_owner_is_refused():
    with pytest.raises(DeployError, match="--repo owner/name"):
        github.find_prefix("shop")


def test_an_account_keeps_its_one_identity_provider(aws: AWS):
    aws.client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com",
        ClientIDList=["sts.amazonaws.com"],
    )

    assert bootstrap("--subject", PREFIX) == 0

    stack = aws.client("cloudformation").list_stack_resources(
        StackName=f"{STACK}-bootstrap"
    )
    made = {entry["LogicalResourceId"] for entry in stack["StackResourceSummaries"]}
    # The local AWS lists what a condition leaves out, without a name.
    assert made - {""} == {"DeploymentRole", "ExecutionRole", "Boundary"}
    assert providers(aws) == [PROVIDER]


def test_a_provider_without_the_audience_is_refused_with_the_command(
    aws: AWS, capsys: pytest.CaptureFixture[str]
):
    aws.client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com", ClientIDList=["other"]
    )

    assert bootstrap("--subject", PREFIX) == 1

    assert (
        "Next: aws iam add-client-id-to-open-id-connect-provider "
        f"--open-id-connect-provider-arn {PROVIDER} --client-id sts.amazonaws.com"
    ) in capsys.readouterr().err


def test_the_same_command_again_keeps_the_stack_and_its_provider(aws: AWS):
    assert bootstrap("--subject", PREFIX) == 0
    assert bootstrap("--subject", PREFIX) == 0

    assert providers(aws) == [PROVIDER]


def test_another_repository_replaces_the_first(aws: AWS):
    assert bootstrap("--subject", PREFIX, "--allow", "dynamodb:*") == 0
    assert bootstrap("--subject", "repo:ann/renamed") == 0

    assert subject(aws) == "repo:ann/renamed:environment:prod"
    # What was allowed before stays.
    assert is_allowed(roles.of_boundary(aws), TABLE)


TABLE = Access("dynamodb:GetItem", "arn:aws:dynamodb:eu-central-1:1:table/site")


def test_resources_of_the_site_can_be_allowed(aws: AWS):
    assert bootstrap("--subject", PREFIX) == 0
    assert not is_allowed(roles.of_boundary(aws), TABLE)

    assert bootstrap("--subject", PREFIX, "--allow", "dynamodb:*") == 0

    assert is_allowed(roles.of_boundary(aws), TABLE)
    assert is_allowed(roles.of_role(aws, "execution"), TABLE)


@pytest.mark.parametrize("action", ["iam:PassRole", "sts:*", "*", "*:*", "s3"])
def test_what_could_lift_the_boundary_is_refused(
    action: str, capsys: pytest.CaptureFixture[str]
):
    assert bootstrap("--subject", PREFIX, "--allow", action) == 1

    assert f'--allow is "{action}"' in capsys.readouterr().err


class Failing(Account):
    """An account in which CloudFormation fails to make a role."""

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        match operation:
            case "describe_stacks" if self.moves:
                return {"Stacks": [{"StackStatus": "ROLLBACK_COMPLETE"}]}
            case "create_stack":
                self.moves.append(("create_stack", ""))
                return {}
            case "describe_stack_events":
                failed = {
                    "LogicalResourceId": "DeploymentRole",
                    "ResourceStatus": "CREATE_FAILED",
                    "ResourceStatusReason": "EntityAlreadyExists",
                }
                return {"StackEvents": [failed]}
        return super().call(service, operation, **parameters)


class Expiring(Account):
    """An account whose session expires while CloudFormation makes the stack."""

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        if self.moves:
            raise NoAccess(Barrier("The AWS session has expired.", "log in"))
        answer = super().call(service, operation, **parameters)
        if operation == "create_stack":
            self.moves.append((operation, ""))
        return answer


def test_a_session_that_expires_leaves_what_cloudformation_completes(
    aws: AWS, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    account = Expiring(aws)
    monkeypatch.setattr(command, "Stage", lambda name, region: account)

    assert bootstrap("--subject", PREFIX, "--allow", "dynamodb:*") == 1

    errors = capsys.readouterr().err.strip().splitlines()
    assert errors == [
        "The AWS session has expired.",
        f"CloudFormation may be changing the stack {STACK}-bootstrap: it continues by "
        "itself.",
        "Next: log in, then run: make bootstrap STAGE=prod "
        f"ARGS='--subject {PREFIX} --allow '\"'\"'dynamodb:*'\"'\"''",
    ]


def test_the_reason_of_a_failure_is_printed_and_then_how_to_repeat_it(
    aws: AWS, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    account = Failing(aws)
    monkeypatch.setattr(command, "Stage", lambda name, region: account)

    assert bootstrap("--subject", PREFIX) == 1
    first = capsys.readouterr().err
    assert bootstrap("--subject", PREFIX) == 1
    second = capsys.readouterr().err

    assert "DeploymentRole: EntityAlreadyExists" in first
    assert (
        f"Next: aws cloudformation delete-stack --region {REGION} "
        f"--stack-name {STACK}-bootstrap"
    ) in second
