# mypy: disable-error-code="override"
"""Lambda versions and aliases, which moto's CloudFormation does not update."""

from typing import Any, Self

from moto.awslambda.utils import get_backend
from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import parse_and_update_resource
from moto.core.common_models import CloudFormationModel


def update(function: str, stack_id: str, account: str, region: str) -> None:
    """Update the function before its version is published: moto does so afterwards."""
    stack = cloudformation_backends[account][region].stacks.get(stack_id)
    if stack is None:  # the stack is being created, with its functions
        return
    resources = stack.resource_map
    for name, resource in resources._resource_json_map.items():
        made = resources._parsed_resources.get(name)
        if getattr(made, "function_name", "") == function:
            parse_and_update_resource(name, resource, resources, account, region)


class Version(CloudFormationModel):
    """A published version of a function, retained when it leaves the stack."""

    def __init__(self, version: str, arn: str) -> None:
        self.version = version
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Lambda::Version"

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Version"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        return self.version

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Self:
        function = cloudformation_json["Properties"]["FunctionName"]
        update(function, kwargs["StackId"], account_id, region_name)
        made = get_backend(account_id, region_name).publish_version(function)
        assert made
        return cls(str(made.version), made.function_arn)

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name: str, *args: Any) -> None:
        """Do nothing: the template retains versions."""


class Alias(CloudFormationModel):
    """An alias of a function, as a resource of a stack."""

    def __init__(self, backend: Any, function: str, name: str, arn: str) -> None:
        self.backend = backend
        self.function = function
        self.name = name
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::Lambda::Alias"

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Any,
        account_id: str,
        region_name: str,
        **kwargs: Any,
    ) -> Self:
        given = cloudformation_json["Properties"]
        function, name = given["FunctionName"], given["Name"]
        version = str(given["FunctionVersion"])
        backend = get_backend(account_id, region_name)
        made = backend.create_alias(name, function, version, "", "")
        return cls(backend, function, name, made.arn)

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Self, cloudformation_json: Any, *args: Any
    ) -> Self:
        version = str(cloudformation_json["Properties"]["FunctionVersion"])
        original_resource.backend.update_alias(
            original_resource.name, original_resource.function, version, None, None
        )
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name: str, *args: Any) -> None:
        """Do nothing: moto removes it with its function."""
