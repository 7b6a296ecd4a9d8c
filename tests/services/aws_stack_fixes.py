# mypy: disable-error-code="assignment, attr-defined, method-assign"
"""Fixes for what moto creates, removes or knows incompletely."""

import json
from typing import Any

from moto.apigateway.models import Deployment, RestAPI, apigateway_backends
from moto.cloudformation import parsing
from moto.iam.access_control import PermissionResult
from moto.iam.models import IAMBackend, ManagedPolicy, Role, iam_backends
from moto.logs.models import LogGroup
from moto.s3.models import FakeBucket

from tests.services.aws_stack_resources import Properties, client


def _delete_rest_api(cls: Any, name: str, _: Any, account: str, region: str) -> None:
    apigateway_backends[account][region].delete_rest_api(name)


def _delete_policy(cls: Any, name: str, _: Any, account: str, region: str) -> None:
    iam_backends[account]["aws"].delete_policy(name)


create_bucket = FakeBucket.create_from_cloudformation_json


def _create_bucket(cls: Any, name: str, described: Any, *args: Any, **kw: Any) -> Any:
    bucket = create_bucket(name, described, *args, **kw)
    given, s3 = described.get("Properties", {}), client("s3")
    if rule := given.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=rule)
    if rule := given.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=rule)
    if rule := given.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=name, OwnershipControls=rule)
    if rule := given.get("CorsConfiguration"):
        rules = [
            {("MaxAgeSeconds" if k == "MaxAge" else k): v for k, v in one.items()}
            for one in rule["CorsRules"]
        ]
        s3.put_bucket_cors(Bucket=name, CORSConfiguration={"CORSRules": rules})
    if rule := given.get("LifecycleConfiguration"):
        rules = [_lifecycle(one) for one in rule["Rules"]]
        s3.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": rules}
        )
    return bucket


def _lifecycle(rule: Properties) -> Properties:
    """Return CloudFormation's rule in the words of S3."""
    found = {**rule}
    found["ID"] = found.pop("Id")
    found["Filter"] = {"Prefix": found.pop("Prefix", "")}
    if days := found.pop("ExpirationInDays", None):
        found["Expiration"] = {"Days": int(days)}
    return found


create_role = Role.create_from_cloudformation_json
delete_role = Role.delete_from_cloudformation_json


def _give_policies(role: str, given: Properties) -> None:
    for policy in given.get("Policies", ()):
        document = json.dumps(policy["PolicyDocument"])
        client("iam").put_role_policy(
            RoleName=role, PolicyName=policy["PolicyName"], PolicyDocument=document
        )
    for arn in given.get("ManagedPolicyArns", ()):
        client("iam").attach_role_policy(RoleName=role, PolicyArn=arn)


def _create_role(cls: Any, name: str, described: Any, *args: Any, **kw: Any) -> Any:
    role = create_role(name, described, *args, **kw)
    _give_policies(role.name, described["Properties"])
    return role


def _update_role(
    cls: Any, /, original_resource: Any, cloudformation_json: Any, **kw: Any
) -> Any:
    given, name = cloudformation_json["Properties"], original_resource.name
    _give_policies(name, given)
    trust = json.dumps(given["AssumeRolePolicyDocument"])
    client("iam").update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    return original_resource


def _update_policy(
    cls: Any, /, original_resource: Any, cloudformation_json: Any, **kw: Any
) -> Any:
    client("iam").create_policy_version(
        PolicyArn=original_resource.arn,
        PolicyDocument=json.dumps(cloudformation_json["Properties"]["PolicyDocument"]),
        SetAsDefault=True,
    )
    return original_resource


def _delete_role(cls: Any, name: str, *args: Any) -> None:
    # Its policies may be removed already: moto removes resources in no order.
    role = next(
        r for r in iam_backends[args[1]]["aws"].roles.values() if r.name == name
    )
    role.managed_policies.clear()
    delete_role(name, *args)


clean_json = parsing.clean_json


def _clean_json(value: Any, resources: Any) -> Any:
    """Leave AWS::NoValue out of lists, as moto does out of objects."""
    cleaned = clean_json(value, resources)
    if isinstance(value, list):
        return [item for item in cleaned if item is not None]
    return cleaned


attach_role_policy = IAMBackend.attach_role_policy


def _attach_role_policy(self: Any, policy_arn: str, role_name: str) -> None:
    """Attach a policy. AWS's own ones exist, although moto has none of them."""
    if ":iam::aws:policy/" in policy_arn:
        self.get_role(role_name)
    else:
        attach_role_policy(self, policy_arn, role_name)


delete_resources = parsing.ResourceMap.delete


def _delete_resources(self: Any) -> None:
    """Delete a stack, which never was one that failed to be created."""
    for resource in self._resource_json_map.values():
        if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
            resource["DeletionPolicy"] = "Retain"
    delete_resources(self)


parsing.clean_json = _clean_json
parsing.ResourceMap.delete = _delete_resources
IAMBackend.attach_role_policy = _attach_role_policy
Role.create_from_cloudformation_json = classmethod(_create_role)
Role.update_from_cloudformation_json = classmethod(_update_role)
Role.delete_from_cloudformation_json = classmethod(_delete_role)
# AWS's ARN of a log group includes its streams.
LogGroup.get_cfn_attribute = lambda self, name: f"{self.arn}:*"
# Without it, a Ref to a deployment is moto's object.
Deployment.physical_resource_id = property(lambda self: self.id)
RestAPI.delete_from_cloudformation_json = classmethod(_delete_rest_api)
ManagedPolicy.delete_from_cloudformation_json = classmethod(_delete_policy)
ManagedPolicy.update_from_cloudformation_json = classmethod(_update_policy)
FakeBucket.create_from_cloudformation_json = classmethod(_create_bucket)
# moto ignores conditions, so it would deny what a policy denies without TLS only.
FakeBucket.get_permission = lambda *args: PermissionResult.NEUTRAL
