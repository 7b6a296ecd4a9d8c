"""A release looks at the VPC in which it creates endpoints."""

from collections.abc import Iterator
from typing import Any

import pytest

from apps.aws_lambda.cli.release import state
from apps.aws_lambda.cli.report import DeployError
from tests.cli.release.aliases import OLD, Aliases
from tests.services.aws import AWS, REGION


class StageWithEndpoints(Aliases):
    """A stage whose endpoints are in a VPC of a local AWS."""

    def __init__(self, aws: AWS, vpc: str) -> None:
        super().__init__(OLD)
        self.aws = aws
        self.configuration["provider"] = {"region": REGION, "environment": {}}
        self.configuration["custom"]["deployment"]["endpointsVpc"] = vpc
        self.status = "UPDATE_COMPLETE"

    def client(self, service: str) -> Any:
        return self.aws.client(service)


@pytest.fixture
def aws() -> Iterator[AWS]:
    with AWS() as aws:
        yield aws


@pytest.fixture
def vpc(aws: AWS) -> str:
    """A VPC as AWS makes it, without DNS host names."""
    made = aws.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    return str(made["Vpc"]["VpcId"])


def test_a_vpc_without_dns_host_names_is_refused_with_the_command(aws: AWS, vpc: str):
    with pytest.raises(DeployError) as refused:
        state.check_ready(StageWithEndpoints(aws, vpc))

    assert str(refused.value) == (
        f"The VPC {vpc} (parameter endpointsVpc) has enableDnsHostnames off. "
        "CloudFormation cannot create endpoints with private DNS in it. "
        "Switch it on (docs/deploy-reference.md#vpc):\n"
        f"  aws ec2 modify-vpc-attribute --region {REGION} --vpc-id {vpc} "
        "--enable-dns-hostnames"
    )


def test_both_attributes_are_named_if_both_are_off(aws: AWS, vpc: str):
    aws.client("ec2").modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": False})

    with pytest.raises(DeployError, match="enableDnsSupport and enableDnsHostnames"):
        state.check_ready(StageWithEndpoints(aws, vpc))


def test_a_vpc_with_both_attributes_is_accepted(aws: AWS, vpc: str):
    aws.client("ec2").modify_vpc_attribute(
        VpcId=vpc, EnableDnsHostnames={"Value": True}
    )

    assert StageWithEndpoints(aws, vpc).missing_dns() == []


def test_a_vpc_that_does_not_exist_is_refused(aws: AWS):
    with pytest.raises(DeployError, match="vpc-0ddd"):
        state.check_ready(StageWithEndpoints(aws, "vpc-0ddd"))


def test_a_stage_without_endpoints_needs_no_permission_for_a_vpc(aws: AWS):
    stage = StageWithEndpoints(aws, "")
    stage.client = lambda service: pytest.fail(f"{service} was called")  # type: ignore[method-assign]

    assert stage.missing_dns() == []
