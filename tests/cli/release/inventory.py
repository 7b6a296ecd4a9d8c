"""List the resources of an account."""

from collections.abc import Collection
from typing import Any

from tests.names import SERVICE
from tests.services.aws import AWS
from tests.services.ministack import MiniStack

# How to list each kind: service, operation, arguments and key.
LISTS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "AWS::ApiGateway::RestApi": ("apigateway", "get_rest_apis", {}, "items"),
    "AWS::ApiGatewayV2::Api": ("apigatewayv2", "get_apis", {}, "Items"),
    "AWS::CloudWatch::Alarm": ("cloudwatch", "describe_alarms", {}, "MetricAlarms"),
    "AWS::CloudWatch::Dashboard": (
        "cloudwatch",
        "list_dashboards",
        {},
        "DashboardEntries",
    ),
    "AWS::CodeDeploy::Application": (
        "codedeploy",
        "list_applications",
        {},
        "applications",
    ),
    "AWS::IAM::ManagedPolicy": ("iam", "list_policies", {"Scope": "Local"}, "Policies"),
    "AWS::IAM::Role": ("iam", "list_roles", {}, "Roles"),
    "AWS::Lambda::EventSourceMapping": (
        "lambda",
        "list_event_source_mappings",
        {},
        "EventSourceMappings",
    ),
    "AWS::Lambda::Function": ("lambda", "list_functions", {}, "Functions"),
    "AWS::Logs::LogGroup": ("logs", "describe_log_groups", {}, "logGroups"),
    "AWS::Logs::MetricFilter": ("logs", "describe_metric_filters", {}, "metricFilters"),
    "AWS::S3::Bucket": ("s3", "list_buckets", {}, "Buckets"),
    "AWS::SNS::Subscription": ("sns", "list_subscriptions", {}, "Subscriptions"),
    "AWS::SNS::Topic": ("sns", "list_topics", {}, "Topics"),
    "AWS::SQS::Queue": ("sqs", "list_queues", {}, "QueueUrls"),
    "AWS::Scheduler::ScheduleGroup": (
        "scheduler",
        "list_schedule_groups",
        {"NamePrefix": SERVICE},
        "ScheduleGroups",
    ),
    "AWS::Scheduler::Schedule": ("scheduler", "list_schedules", {}, "Schedules"),
}
# These belong to one of those, and are deleted with it.
PARTS = {
    "AWS::ApiGateway::Deployment",
    "AWS::ApiGateway::Method",
    "AWS::ApiGateway::Resource",
    "AWS::ApiGateway::Stage",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Lambda::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Version",
    "AWS::S3::BucketPolicy",
    "AWS::SQS::QueuePolicy",
}


def all_there_is(
    aws: AWS | MiniStack, without: Collection[str] = ()
) -> dict[str, list[Any]]:
    """
    Return the resources of the account, by kind, without empty kinds.

    The services ``without`` are not asked.
    """
    found = {
        kind: getattr(aws.client(service), operation)(**arguments).get(key)
        for kind, (service, operation, arguments, key) in LISTS.items()
        if service not in without
    }
    return {kind: things for kind, things in found.items() if things}
