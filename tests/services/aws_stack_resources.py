"""
Resources that moto's CloudFormation does not support, though moto has the service.

Each is created with boto3, so the service also validates its properties.
"""

import json
import sys
from collections.abc import Callable
from typing import Any, Self

import boto3
from moto.codedeploy.models import codedeploy_backends
from moto.core.common_models import CloudFormationModel

Properties = dict[str, Any]


def client(service: str) -> Any:
    """Return a boto3 client for the server that this process runs."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{sys.argv[sys.argv.index('--port') + 1]}",
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )


def lower(value: Any) -> Any:
    """Return properties with lower-case first letters, as some services need them."""
    match value:
        case dict():
            return {k[0].lower() + k[1:]: lower(part) for k, part in value.items()}
        case list():
            return [lower(part) for part in value]
    return value


def queue_policy(name: str, properties: Properties) -> str:
    for url in properties["Queues"]:
        client("sqs").set_queue_attributes(
            QueueUrl=url,
            Attributes={"Policy": json.dumps(properties["PolicyDocument"])},
        )
    return name


def bucket_policy(name: str, properties: Properties) -> str:
    client("s3").put_bucket_policy(
        Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"])
    )
    return name


def metric_filter(name: str, properties: Properties) -> str:
    client("logs").put_metric_filter(filterName=name, **lower(properties))
    return name


def delete_metric_filter(name: str, *_: str) -> None:
    logs = client("logs")
    for found in logs.describe_metric_filters()["metricFilters"]:
        if found["filterName"] == name:
            logs.delete_metric_filter(
                logGroupName=found["logGroupName"], filterName=name
            )


def alarm(name: str, properties: Properties) -> str:
    client("cloudwatch").put_metric_alarm(**properties)
    return str(properties["AlarmName"])


def schedule(name: str, properties: Properties) -> str:
    client("scheduler").create_schedule(Name=name, **properties)
    return name


def delete_schedule(name: str, *_: str) -> None:
    scheduler = client("scheduler")
    for found in scheduler.list_schedules()["Schedules"]:
        if found["Name"] == name:
            scheduler.delete_schedule(Name=name, GroupName=found["GroupName"])


def schedule_group(name: str, properties: Properties) -> str:
    client("scheduler").create_schedule_group(**properties)
    return str(properties["Name"])


def rest_stage(name: str, properties: Properties) -> str:
    gateway = client("apigateway")
    stage = {key: properties[key] for key in ("RestApiId", "StageName")}
    try:
        gateway.create_stage(**lower(stage), deploymentId=properties["DeploymentId"])
    except gateway.exceptions.ConflictException:
        deployment = ("/deploymentId", properties["DeploymentId"])
        _set_in_stage(stage, deployment)
    for setting in properties["MethodSettings"]:
        place = f"{setting['ResourcePath']}/{setting['HttpMethod']}/throttling"
        _set_in_stage(
            stage,
            (f"{place}/burstLimit", setting["ThrottlingBurstLimit"]),
            (f"{place}/rateLimit", setting["ThrottlingRateLimit"]),
        )
    return str(properties["StageName"])


def _set_in_stage(stage: Properties, *values: tuple[str, Any]) -> None:
    client("apigateway").update_stage(
        **lower(stage),
        patchOperations=[
            {"op": "replace", "path": path, "value": str(value)}
            for path, value in values
        ],
    )


def invoke_config(name: str, properties: Properties) -> str:
    client("lambda").put_function_event_invoke_config(**properties)
    return name


def subscription(name: str, properties: Properties) -> str:
    return str(client("sns").subscribe(**properties)["SubscriptionArn"])


def part_of_http_api(part: str, key: str) -> Callable[[str, Properties], str]:
    def make(name: str, properties: Properties) -> str:
        create = getattr(client("apigatewayv2"), f"create_{part}")
        return str(create(**properties)[key])

    return make


def identity_provider(name: str, properties: Properties) -> str:
    made = client("iam").create_open_id_connect_provider(
        Url=properties["Url"], ClientIDList=properties["ClientIdList"]
    )
    return str(made["OpenIDConnectProviderArn"])


def release_application(name: str, properties: Properties) -> str:
    client("codedeploy").create_application(**lower(properties))
    return str(properties["ApplicationName"])


def release_group(name: str, properties: Properties) -> str:
    client("codedeploy").create_deployment_group(**lower(properties))
    return str(properties["DeploymentGroupName"])


def delete_application(name: str, account: str, region: str) -> None:
    # moto has no API for it.
    codedeploy_backends[account][region].applications.pop(name)
    codedeploy_backends[account][region].deployment_groups.pop(name, None)


def nothing(name: str, account: str, region: str) -> None:
    """Do nothing: moto removes it with its parent."""


Make = Callable[[str, Properties], str]
Remove = Callable[[str, str, str], object]
# By type: whether creating it again updates it, how to create it, how to remove it.
KINDS: dict[str, tuple[bool, Make, Remove]] = {
    "AWS::ApiGateway::Stage": (True, rest_stage, nothing),
    "AWS::ApiGatewayV2::Api": (
        False,
        part_of_http_api("api", "ApiId"),
        lambda name, *_: client("apigatewayv2").delete_api(ApiId=name),
    ),
    "AWS::ApiGatewayV2::Integration": (
        False,
        part_of_http_api("integration", "IntegrationId"),
        nothing,
    ),
    "AWS::ApiGatewayV2::Route": (False, part_of_http_api("route", "RouteId"), nothing),
    "AWS::ApiGatewayV2::Stage": (
        False,
        part_of_http_api("stage", "StageName"),
        nothing,
    ),
    "AWS::CloudWatch::Alarm": (
        True,
        alarm,
        lambda name, *_: client("cloudwatch").delete_alarms(AlarmNames=[name]),
    ),
    "AWS::CodeDeploy::Application": (False, release_application, delete_application),
    "AWS::CodeDeploy::DeploymentGroup": (False, release_group, nothing),
    "AWS::IAM::OIDCProvider": (
        False,
        identity_provider,
        # Retained with the stack.
        nothing,
    ),
    "AWS::Lambda::EventInvokeConfig": (True, invoke_config, nothing),
    "AWS::Logs::MetricFilter": (True, metric_filter, delete_metric_filter),
    "AWS::S3::BucketPolicy": (True, bucket_policy, nothing),
    "AWS::SNS::Subscription": (
        False,
        subscription,
        lambda name, *_: client("sns").unsubscribe(SubscriptionArn=name),
    ),
    "AWS::SQS::QueuePolicy": (True, queue_policy, nothing),
    "AWS::Scheduler::Schedule": (False, schedule, delete_schedule),
    "AWS::Scheduler::ScheduleGroup": (
        False,
        schedule_group,
        lambda name, *_: client("scheduler").delete_schedule_group(Name=name),
    ),
}


class Resource:
    """A resource of a type in KINDS."""

    kind: str

    def __init__(self, name: str) -> None:
        self.physical_resource_id = name

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.kind

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return ""

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, *args: Any, **kwargs: Any
    ) -> Self:
        _, make, _ = KINDS[cls.kind]
        return cls(make(resource_name, cloudformation_json["Properties"]))

    @classmethod
    def update_from_cloudformation_json(
        cls, original_resource: Self, cloudformation_json: Any, **kwargs: Any
    ) -> Self:
        again, make, _ = KINDS[cls.kind]
        if not again:
            raise NotImplementedError(f"{cls.kind} cannot be updated in these tests.")
        make(original_resource.physical_resource_id, cloudformation_json["Properties"])
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account: str, region: str
    ) -> None:
        _, _, remove = KINDS[cls.kind]
        remove(resource_name, account, region)


# moto finds resource types by the subclasses of CloudFormationModel.
for kind in KINDS:
    type(kind, (Resource, CloudFormationModel), {"kind": kind})
