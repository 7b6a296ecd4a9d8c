"""The roles of the bootstrap, deployed to a local AWS and read back."""

from typing import Any

from apps.aws_lambda.cli.bootstrap.command import MAX_PREFIX_LENGTH, TEMPLATE
from tests.names import SERVICE
from tests.services.aws import AWS

STACK = f"{SERVICE}-prod"
PREFIX = f"{STACK}-"[:MAX_PREFIX_LENGTH]
SUBJECT = "repo:ann@1/shop@2:environment:prod"
Statements = list[dict[str, Any]]


def deploy(aws: AWS, **parameters: str) -> None:
    """Deploy the template for the stage prod."""
    values = {
        "Service": SERVICE,
        "Stage": "prod",
        "Prefix": PREFIX,
        "BucketPrefix": PREFIX,
        "Subject": SUBJECT,
        "MakeProvider": "true",
        **parameters,
    }
    aws.client("cloudformation").create_stack(
        StackName=f"{STACK}-bootstrap",
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in values.items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def of_role(aws: AWS, kind: str) -> Statements:
    """Return what the role may do: "deployment" or "execution"."""
    iam = aws.client("iam")
    name = f"{STACK}-{kind}"
    [policy] = iam.list_role_policies(RoleName=name)["PolicyNames"]
    document = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
    found: Statements = document["Statement"]
    return found


def of_boundary(aws: AWS) -> Statements:
    """Return what a role with the boundary may do at most."""
    iam = aws.client("iam")
    [policy] = [
        policy
        for policy in iam.list_policies(Scope="Local")["Policies"]
        if policy["PolicyName"] == f"{STACK}-boundary"
    ]
    document = iam.get_policy_version(
        PolicyArn=policy["Arn"], VersionId=policy["DefaultVersionId"]
    )["PolicyVersion"]["Document"]
    found: Statements = document["Statement"]
    return found
