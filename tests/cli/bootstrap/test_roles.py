"""
What the roles of the bootstrap allow, and what they do not.

The requests of a release are compared with the deployment role wherever a test makes
them (tests/cli/conftest.py).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from cfnlint.api import lint_file
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as SCHEMAS

from apps.aws_lambda.cli.bootstrap.command import TEMPLATE
from tests.cli import template
from tests.cli.bootstrap import roles
from tests.cli.bootstrap.roles import PREFIX, STACK, SUBJECT, Statements
from tests.cli.cloudformation import plain, read
from tests.cli.template import Template
from tests.cli.test_template import as_list, documents
from tests.names import SERVICE
from tests.services.aws import AWS, REGION
from tests.services.aws_requests import ACCOUNT
from tests.services.iam import Access, is_allowed

BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/bootstrap/{STACK}-boundary"
# Of AWS::IAM::Role and others, what this project's resources do not have.
UNUSED = {
    "codedeploy:RegisterOnPremisesInstance",
    "ec2:DescribeInstances",
    "elasticfilesystem:DescribeMountTargets",
    "firehose:TagDeliveryStream",
    "iam:AttachGroupPolicy",
    "iam:AttachUserPolicy",
    # It would free a role from the boundary.
    "iam:DeleteRolePermissionsBoundary",
    "iam:DetachGroupPolicy",
    "iam:DetachUserPolicy",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "lambda:AssociateRuntimeAlias",
    "lambda:GetCodeSigningConfig",
    "lambda:GetLayerVersion",
    "lambda:PassCapacityProvider",
    "lambda:PutFunctionCodeSigningConfig",
    "s3:REST.PUT.OBJECT",
    "s3files:ListMountTargets",
    "vpce:AllowMultiRegion",
    # Of the schemas, but not of IAM: tags of gateways are POST and DELETE.
    "apigateway:TagResource",
    "apigateway:UntagResource",
}
UNUSED_SERVICES = ("s3tables", "vpc-lattice")
PLACE = f"{REGION}:{ACCOUNT}"
# A resource of each service, as CloudFormation names it.
NAMES = {
    "apigateway": f"arn:aws:apigateway:{REGION}::/apis/abc/routes",
    "cloudwatch": f"arn:aws:cloudwatch:{PLACE}:alarm:{STACK}-throttles",
    "codedeploy": f"arn:aws:codedeploy:{PLACE}:deploymentgroup:{STACK}/http",
    "ec2": "*",
    "lambda": f"arn:aws:lambda:{PLACE}:function:{STACK}-http",
    "logs": f"arn:aws:logs:{PLACE}:log-group:/aws/lambda/{STACK}-http:*",
    "s3": f"arn:aws:s3:::{PREFIX}serverlessdeploymentbuck-0123456789ab",
    "scheduler": f"arn:aws:scheduler:{PLACE}:schedule/default/{PREFIX}ScheduleA-0123",
    "sns": f"arn:aws:sns:{PLACE}:{STACK}-alarms",
    "sqs": f"arn:aws:sqs:{PLACE}:{PREFIX}TaskQueue-0123456789AB",
}
PER_TYPE = {
    "AWS::CloudWatch::Dashboard": f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/{STACK}",
    "AWS::CodeDeploy::Application": f"arn:aws:codedeploy:{PLACE}:application:{STACK}",
    "AWS::Lambda::EventSourceMapping": f"arn:aws:lambda:{PLACE}:event-source-mapping:1",
}
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{PREFIX}HttpRole-0123456789AB"
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/{PREFIX}SitePolicy-0123456789AB"
WITHIN = (("iam:PermissionsBoundary", BOUNDARY),)


@pytest.fixture(scope="module")
def aws() -> Iterator[AWS]:
    with AWS() as aws:
        roles.deploy(aws)
        yield aws


@pytest.fixture(scope="module")
def deployment(aws: AWS) -> Statements:
    return roles.of_role(aws, "deployment")


@pytest.fixture(scope="module")
def execution(aws: AWS) -> Statements:
    return roles.of_role(aws, "execution")


@pytest.fixture(scope="module")
def boundary(aws: AWS) -> Statements:
    return roles.of_boundary(aws)


def test_the_linter_finds_nothing_in_the_template():
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def test_the_deployment_role_trusts_one_environment_of_one_repository(aws: AWS):
    role = aws.client("iam").get_role(RoleName=f"{STACK}-deployment")["Role"]
    [provider] = aws.client("iam").list_open_id_connect_providers()[
        "OpenIDConnectProviderList"
    ]

    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Federated": provider["Arn"]}
    assert trust["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": SUBJECT,
        }
    }


def test_a_subject_of_several_repositories_is_not_a_parameter():
    pattern = re.search(r"AllowedPattern: (\S+)", TEMPLATE.read_text())
    assert pattern

    for subject in (
        "repo:ann@1/*:environment:prod",
        "repo:ann/shop:*",
        "repo:ann/shop",
    ):
        assert not re.fullmatch(pattern[1], subject)
    for subject in (SUBJECT, "repo:ann/shop.com:environment:prod"):
        assert re.fullmatch(pattern[1], subject)


# The execution role


TYPES = sorted(
    {
        resource["Type"]
        for make in (template.default, template.everything, template.function_url)
        for resource in make().resources.values()
    }
)


@pytest.mark.parametrize("kind", TYPES)
def test_cloudformation_may_make_change_and_delete_a_resource(
    kind: str, execution: Statements
):
    """AWS publishes the permissions in the schema of a type."""
    handlers = SCHEMAS.get_resource_schema(REGION, kind).schema["handlers"]
    actions = {
        action
        for name in ("create", "read", "update", "delete")
        for action in handlers.get(name, {}).get("permissions", ())
    }
    refused = {
        action
        for action in actions - UNUSED
        if not action.startswith(UNUSED_SERVICES)
        and not is_allowed(execution, access(kind, action))
    }

    assert actions
    assert refused == set()


def access(kind: str, action: str) -> Access:
    service, _, name = action.partition(":")
    if name == "PassRole":
        return Access(action, ROLE, (("iam:PassedToService", "lambda.amazonaws.com"),))
    if service == "iam":
        resource = POLICY if "Polic" in name and "Role" not in name else ROLE
        return Access(action, resource, WITHIN)
    own = kind.split("::")[1].lower().removesuffix("v2")
    resource = PER_TYPE.get(kind, NAMES[service]) if own == service else NAMES[service]
    return Access(action, resource)


def test_cloudformation_may_make_what_the_stage_names_itself(execution: Statements):
    """The other names are CloudFormation's, and begin with the stack's."""
    made = template.everything()
    needed = {
        Access("logs:CreateLogGroup", arn(made, name))
        for name in made.of_type("Logs::LogGroup")
    } | {
        Access("lambda:CreateFunction", arn(made, name))
        for name in made.of_type("Lambda::Function")
    }
    alarms = made.of_type("CloudWatch::Alarm").values()
    needed |= {
        Access(
            "cloudwatch:PutMetricAlarm",
            f"arn:aws:cloudwatch:{PLACE}:alarm:{alarm['Properties']['AlarmName']}",
        )
        for alarm in alarms
    }

    assert len(needed) >= 16
    assert {access for access in needed if not is_allowed(execution, access)} == set()


def test_every_exception_is_in_a_schema():
    every = {
        action
        for kind in TYPES
        for handler in SCHEMAS.get_resource_schema(REGION, kind)
        .schema["handlers"]
        .values()
        for action in handler.get("permissions", ())
    }

    assert every >= UNUSED


OTHER_BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/AdministratorAccess"
OWN = f"arn:aws:iam::{ACCOUNT}:role/bootstrap/{STACK}-execution"


@pytest.mark.parametrize(
    "refused",
    [
        Access("iam:CreateRole", ROLE),
        Access("iam:CreateRole", ROLE, (("iam:PermissionsBoundary", OTHER_BOUNDARY),)),
        Access("iam:PutRolePolicy", ROLE),
        Access("iam:AttachRolePolicy", OWN, WITHIN),
        Access("iam:PutRolePolicy", OWN, WITHIN),
        Access("iam:UpdateAssumeRolePolicy", OWN),
        Access("iam:UpdateAssumeRolePolicy", OWN.replace("execution", "deployment")),
        Access("iam:DeleteRolePermissionsBoundary", ROLE, WITHIN),
        Access("iam:CreatePolicyVersion", BOUNDARY),
        Access("iam:CreateUser", f"arn:aws:iam::{ACCOUNT}:user/{PREFIX}ann"),
        Access("iam:PassRole", ROLE, (("iam:PassedToService", "ec2.amazonaws.com"),)),
        Access("iam:PassRole", OWN, (("iam:PassedToService", "lambda.amazonaws.com"),)),
        Access("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/Admin"),
        Access(
            "lambda:UpdateFunctionCode",
            f"arn:aws:lambda:{PLACE}:function:other-prod-http",
        ),
        Access("s3:DeleteObject", "arn:aws:s3:::other-prod-media/a"),
    ],
    ids=lambda refused: f"{refused.action} {refused.resource.rpartition(':')[2]}",
)
def test_the_execution_role_cannot_leave_its_stage(
    refused: Access, execution: Statements
):
    assert not is_allowed(execution, refused)


@pytest.mark.parametrize(
    "refused",
    [
        Access(
            "cloudformation:UpdateStack",
            f"arn:aws:cloudformation:{PLACE}:stack/{STACK}/1",
        ),
        Access(
            "cloudformation:UpdateStack",
            f"arn:aws:cloudformation:{PLACE}:stack/{STACK}-bootstrap/1",
            (("cloudformation:RoleArn", OWN),),
        ),
        Access("iam:CreateRole", ROLE, WITHIN),
        Access("iam:PassRole", OWN, (("iam:PassedToService", "lambda.amazonaws.com"),)),
        Access("lambda:UpdateFunctionCode", NAMES["lambda"]),
        Access(
            "lambda:InvokeFunction",
            f"arn:aws:lambda:{PLACE}:function:{SERVICE}-staging-manage",
        ),
        Access(
            "ssm:GetParameters", f"arn:aws:ssm:{PLACE}:parameter/{SERVICE}/staging/a"
        ),
    ],
    ids=lambda refused: f"{refused.action} {refused.resource.rpartition(':')[2]}",
)
def test_the_deployment_role_cannot_leave_its_stage(
    refused: Access, deployment: Statements
):
    assert not is_allowed(deployment, refused)


def test_no_role_has_permissions_for_every_identity():
    written = read(TEMPLATE)["Resources"]
    for name in ("DeploymentRole", "ExecutionRole"):
        [policy] = written[name]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]:
            actions = as_list(statement.get("Action", []))
            if any(isinstance(a, str) and a.startswith("iam:") for a in actions):
                assert statement["Resource"] != "*"
                assert "*" not in actions


# The boundary


def physical(made: Template, resource: Any) -> str:
    """Return a resource of a compiled policy as AWS names it."""
    text = str(plain(resource))
    for name, value in {
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "AWS::AccountId": ACCOUNT,
    }.items():
        text = text.replace(f"${{{name}}}", value)
    return re.sub(r"\$\{(\w+)\.Arn\}", lambda match: arn(made, match[1]), text)


def arn(made: Template, name: str) -> str:
    resource = made.resources[name]
    match resource["Type"]:
        case "AWS::Lambda::Function":
            function = resource["Properties"]["FunctionName"]
            return f"arn:aws:lambda:{PLACE}:function:{function}"
        case "AWS::Logs::LogGroup":
            group = resource["Properties"]["LogGroupName"]
            return f"arn:aws:logs:{PLACE}:log-group:{group}:*"
        case "AWS::S3::Bucket":
            return f"arn:aws:s3:::{PREFIX}{name.lower()}-0123"
        case "AWS::SQS::Queue":
            return f"arn:aws:sqs:{PLACE}:{PREFIX}{name}-0123"
    raise ValueError(resource["Type"])


def test_the_boundary_contains_what_the_roles_of_a_stage_may_do(
    boundary: Statements,
):
    made = template.everything()
    needed = {
        Access(action, physical(made, resource))
        for _, statement in documents(made)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }

    assert len(needed) > 30
    assert {access for access in needed if not is_allowed(boundary, access)} == set()


def test_the_boundary_contains_no_identities_and_no_other_stage(boundary: Statements):
    function = f"arn:aws:lambda:{PLACE}:function:{SERVICE}-staging-manage"

    assert not is_allowed(boundary, Access("iam:CreateRole", ROLE, WITHIN))
    assert not is_allowed(boundary, Access("sts:AssumeRole", OWN))
    assert not is_allowed(boundary, Access("lambda:InvokeFunction", function))


def test_the_policies_are_not_longer_than_iam_allows(
    deployment: Statements, execution: Statements, boundary: Statements
):
    """IAM counts characters without white space."""
    for limit, statements in (
        (10_240, deployment),
        (10_240, execution),
        (6_144, boundary),
    ):
        document = {"Version": "2012-10-17", "Statement": statements}
        assert len(json.dumps(document, separators=(",", ":"))) < limit * 0.8


# The plugin


def test_each_role_of_a_bootstrapped_stage_has_the_boundary():
    parameters = {**template.EVERYTHING, "bootstrap": "true"}
    made = template.package("prod", tuple(parameters.items()))

    found = made.of_type("IAM::Role").values()
    assert len(found) == 6
    for role in found:
        assert physical(made, role["Properties"]["PermissionsBoundary"]) == BOUNDARY
    for role in template.everything().of_type("IAM::Role").values():
        assert "PermissionsBoundary" not in role["Properties"]
