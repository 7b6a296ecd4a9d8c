"""
Let GitHub Actions release a stage.

    django-on-lambda bootstrap --stage prod --repo owner/name

It deploys template.yml as the stack <service>-<stage>-bootstrap. Run it again to change
the repository or what the stage may do; what is not given stays.
"""

import argparse
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..arguments import add_stage, parser_of, stage_command
from ..release.errors import NotFound
from ..release.stage import Stage
from ..report import (
    DeployError,
    interrupt_on_signals,
    message,
    next_command,
    step,
    write,
    write_error,
)
from . import github

TEMPLATE = Path(__file__).with_name("template.yml")
PROVIDER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"
# CloudFormation cuts the name of a stack to this length in the names that it makes.
MAX_PREFIX_LENGTH = 24
POLL_SECONDS = 2.0
# An action of one service: "dynamodb:GetItem", "dynamodb:*". Those of identities would
# lift the boundary.
ACTION = re.compile(r"(?!(iam|sts|organizations|account):)[a-z][a-z0-9-]*:[A-Za-z*]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploy the roles of a stage, and return the exit status."""
    parser = parser_of("bootstrap", __doc__)
    add_stage(parser)
    repository = parser.add_mutually_exclusive_group(required=True)
    repository.add_argument(
        "--repo", metavar="OWNER/NAME", help="the repository; gh asks GitHub about it"
    )
    repository.add_argument(
        "--subject",
        metavar="repo:OWNER@ID/NAME@ID",
        help="how the subjects of its jobs begin, without asking GitHub",
    )
    parser.add_argument(
        "--allow",
        action="append",
        metavar="SERVICE:ACTION",
        help="what resources and functions of the site's own may do besides, for "
        "example dynamodb:*; replaces what earlier calls have allowed",
    )
    options = parser.parse_args(arguments)
    interrupt_on_signals()
    stage = None
    try:
        stage = Stage(options.stage, region=options.region)
        if options.subject:
            prefix = github.checked(options.subject, "--subject")
        else:
            prefix = github.find_prefix(options.repo)
        check_actions(options.allow or [])
        subject = f"{prefix}:environment:{stage.name}"
        with step(f"Prepare the account for {subject}"):
            write(f"  in {stage.region}. {stage.origin.origin()}")
            role = bootstrap(stage, subject, options.allow)
    except (DeployError, KeyboardInterrupt) as error:
        write_error(f"\n{message(error)}")
        for fact in stage.progress.facts.values() if stage else ():
            write_error(fact)
        write_error(f"Next: {next_command(error, same_command(options))}")
        return 130 if isinstance(error, KeyboardInterrupt) else 1
    write(
        f"\nGitHub's environment {stage.name} of this repository may release "
        f"{stage.stack_name} now. Next (docs/workflows.md):\n"
        f"  1. In serverless.yml, params, {stage.name}: bootstrap: true\n"
        f"  2. gh variable set AWS_ROLE_ARN --env {stage.name} --body {role}\n"
        f"  3. gh variable set AWS_REGION --body {stage.region}"
    )
    return 0


def same_command(options: argparse.Namespace) -> str:
    """Return the command line for these options."""
    others = ["--subject", options.subject] if options.subject else []
    for action in options.allow or []:
        others += ["--allow", action]
    named = {"repo": options.repo} if options.repo else {}
    return stage_command("bootstrap", options.stage, options.region, others, **named)


def check_actions(actions: list[str]) -> None:
    """Raise DeployError unless these are actions that the boundary may have."""
    for action in actions:
        if not ACTION.fullmatch(action):
            raise DeployError(
                f'--allow is "{action}", and must be an action of one service, such as '
                "dynamodb:GetItem or dynamodb:*, and not of iam, sts, organizations or "
                "account, with which a role could leave its boundary."
            )


def bootstrap(stage: Stage, subject: str, actions: list[str] | None) -> str:
    """
    Create or update the stack, and return the ARN of the deployment role.

    Raises DeployError, with the reasons of CloudFormation.
    """
    name = f"{stage.stack_name}-bootstrap"
    before = describe(stage, name)
    prefix = f"{stage.stack_name}-"[:MAX_PREFIX_LENGTH]
    values: dict[str, str | None] = {
        "Service": str(stage.configuration["service"]),
        "Stage": stage.name,
        "Prefix": prefix,
        "BucketPrefix": prefix.lower(),
        "Subject": subject,
        "MakeProvider": str(makes_provider(stage, name)).lower(),
        # None for the value of the earlier call.
        "MoreActions": ",".join(actions or []) if actions or not before else None,
    }
    parameters = [
        {"ParameterKey": key, "UsePreviousValue": True}
        if value is None
        else {"ParameterKey": key, "ParameterValue": value}
        for key, value in values.items()
    ]
    request = {
        "StackName": name,
        "TemplateBody": TEMPLATE.read_text(),
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
    }
    going_on = (
        f"CloudFormation may be changing the stack {name}: it continues by itself."
    )
    try:
        operation = "update_stack" if before else "create_stack"
        with stage.progress.change("stack", going_on):
            stage.call("cloudformation", operation, **request)
    except DeployError as error:
        if "No updates are to be performed" not in str(error):
            raise
        write("  unchanged")
    stage.progress.note("stack", going_on)
    after = wait(stage, name)
    outputs = {o["OutputKey"]: o["OutputValue"] for o in after.get("Outputs", ())}
    return str(outputs["DeploymentRoleArn"])


def describe(stage: Stage, name: str) -> dict[str, Any]:
    """Return the stack, or {} without one. Raises DeployError if it cannot change."""
    try:
        answer = stage.call("cloudformation", "describe_stacks", StackName=name)
    except NotFound:
        return {}
    found: dict[str, Any] = answer["Stacks"][0]
    status = found["StackStatus"]
    region = f"--region {stage.region} --stack-name {name}"
    if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"):
        raise DeployError(
            f"The stack {name} is in the state {status}: CloudFormation can only "
            "delete it.",
            advice=f"aws cloudformation delete-stack {region}",
        )
    if status.endswith("_IN_PROGRESS"):
        raise DeployError(
            f"CloudFormation is changing the stack {name} ({status}). Wait until it "
            "has finished."
        )
    return found


def makes_provider(stage: Stage, name: str) -> bool:
    """
    Return whether the stack has GitHub's identity provider; an account has only one.

    Raises DeployError if there is one that GitHub's jobs cannot use.
    """
    listed = stage.call("iam", "list_open_id_connect_providers")
    arns = [entry["Arn"] for entry in listed["OpenIDConnectProviderList"]]
    [existing, *_] = [arn for arn in arns if arn.endswith(f"/{PROVIDER}")] or [""]
    if not existing:
        return True
    try:
        answer = stage.call(
            "cloudformation",
            "describe_stack_resource",
            StackName=name,
            LogicalResourceId="Provider",
        )
        if answer["StackResourceDetail"]["PhysicalResourceId"] == existing:
            return True
    except NotFound:
        pass
    provider = stage.call(
        "iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=existing
    )
    if AUDIENCE not in provider["ClientIDList"]:
        raise DeployError(
            f"The identity provider {existing} does not accept the audience "
            f"{AUDIENCE}, with which GitHub's jobs ask for credentials.",
            advice="aws iam add-client-id-to-open-id-connect-provider "
            f"--open-id-connect-provider-arn {existing} --client-id {AUDIENCE}",
        )
    return False


def wait(stage: Stage, name: str) -> dict[str, Any]:
    """Return the stack when CloudFormation has changed it. Raises DeployError."""
    while True:
        answer = stage.call("cloudformation", "describe_stacks", StackName=name)
        found: dict[str, Any] = answer["Stacks"][0]
        status = found["StackStatus"]
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            return found
        if not status.endswith("_IN_PROGRESS"):
            stage.progress.forget("stack")
            raise DeployError(
                f"CloudFormation could not change the stack {name} ({status}):\n"
                + "\n".join(failures(stage, name))
            )
        time.sleep(POLL_SECONDS)


def failures(stage: Stage, name: str) -> list[str]:
    """Return what failed, a line for each resource."""
    answer = stage.call("cloudformation", "describe_stack_events", StackName=name)
    return [
        f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
        for event in reversed(answer["StackEvents"])
        if event["ResourceStatus"].endswith("_FAILED")
    ]
