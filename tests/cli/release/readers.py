"""Read a resource of a template with boto3, by kind."""

import json
from collections.abc import Callable
from typing import Any

from tests.services.aws import AWS

Properties = dict[str, Any]
# Reads a resource by its physical ID, given its properties in the template, and returns
# the properties that AWS has, under the names of the template.
Read = Callable[[AWS, str, Properties], Properties]


def function(aws: AWS, name: str, described: Properties) -> Properties:
    found: Properties = aws.client("lambda").get_function_configuration(
        FunctionName=name
    )
    return found


def alias(aws: AWS, name: str, described: Properties) -> Properties:
    found: Properties = aws.client("lambda").get_alias(
        FunctionName=described["FunctionName"], Name=described["Name"]
    )
    return {**found, "FunctionName": found["AliasArn"].split(":")[-2]}


def mapping(aws: AWS, name: str, described: Properties) -> Properties:
    found: Properties = aws.client("lambda").get_event_source_mapping(UUID=name)
    return {**found, "Enabled": found["State"] == "Enabled"}


def invoke_config(aws: AWS, name: str, described: Properties) -> Properties:
    found: Properties = aws.client("lambda").get_function_event_invoke_config(
        FunctionName=described["FunctionName"], Qualifier=described["Qualifier"]
    )
    return {**found, **{k: described[k] for k in ("FunctionName", "Qualifier")}}


def role(aws: AWS, name: str, described: Properties) -> Properties:
    iam = aws.client("iam")
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    arns = {policy["PolicyArn"] for policy in attached}
    asked = described.get("ManagedPolicyArns", [])
    found = iam.get_role(RoleName=name)["Role"]
    boundary = found.get("PermissionsBoundary", {"PermissionsBoundaryArn": None})
    return {
        **found,
        "PermissionsBoundary": boundary["PermissionsBoundaryArn"],
        "ManagedPolicyArns": asked if arns == {*asked} else sorted(arns),
        "Policies": [
            {
                key: iam.get_role_policy(RoleName=name, PolicyName=policy)[key]
                for key in ("PolicyName", "PolicyDocument")
            }
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
        ],
    }


def managed_policy(aws: AWS, arn: str, described: Properties) -> Properties:
    iam = aws.client("iam")
    found = iam.get_policy(PolicyArn=arn)["Policy"]
    document = iam.get_policy_version(
        PolicyArn=arn, VersionId=found["DefaultVersionId"]
    )["PolicyVersion"]["Document"]
    return {**found, "PolicyDocument": document}


def queue(aws: AWS, url: str, described: Properties) -> Properties:
    found: Properties = aws.client("sqs").get_queue_attributes(
        QueueUrl=aws.url + "/" + url.split("/", 3)[3], AttributeNames=["All"]
    )["Attributes"]
    if "RedrivePolicy" in found:
        found["RedrivePolicy"] = json.loads(found["RedrivePolicy"])
    return {**found, "QueueName": url.rpartition("/")[2]}


def queue_policy(aws: AWS, name: str, described: Properties) -> Properties:
    [document] = {
        json.dumps(json.loads(queue(aws, url, {})["Policy"]))
        for url in described["Queues"]
    }
    return {**described, "PolicyDocument": json.loads(document)}


def bucket(aws: AWS, name: str, described: Properties) -> Properties:
    s3 = aws.client("s3")
    s3.head_bucket(Bucket=name)
    found: Properties = {}
    for key in described:
        match key:
            case "BucketEncryption":
                rules = s3.get_bucket_encryption(Bucket=name)[
                    "ServerSideEncryptionConfiguration"
                ]["Rules"]
                rules = [
                    {
                        "ServerSideEncryptionByDefault": rule[
                            "ApplyServerSideEncryptionByDefault"
                        ]
                    }
                    for rule in rules
                ]
                found[key] = {"ServerSideEncryptionConfiguration": rules}
            case "PublicAccessBlockConfiguration":
                found[key] = s3.get_public_access_block(Bucket=name)[key]
            case "VersioningConfiguration":
                found[key] = {"Status": s3.get_bucket_versioning(Bucket=name)["Status"]}
            case "OwnershipControls":
                found[key] = s3.get_bucket_ownership_controls(Bucket=name)[key]
            case "CorsConfiguration":
                cors = s3.get_bucket_cors(Bucket=name)["CORSRules"]
                rules = [renamed(rule, MaxAgeSeconds="MaxAge") for rule in cors]
                found[key] = {
                    "CorsRules": [renamed(r, MaxAgeSeconds="MaxAge") for r in rules]
                }
            case "LifecycleConfiguration":
                rules = s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]
                for rule in rules:
                    if prefix := rule.pop("Filter", {}).get("Prefix"):
                        rule["Prefix"] = prefix
                    if days := rule.pop("Expiration", {}).get("Days"):
                        rule["ExpirationInDays"] = days
                found[key] = {"Rules": [renamed(rule, ID="Id") for rule in rules]}
    return found


def renamed(rule: Properties, **names: str) -> Properties:
    return {names.get(key, key): value for key, value in rule.items()}


def bucket_policy(aws: AWS, name: str, described: Properties) -> Properties:
    found = aws.client("s3").get_bucket_policy(Bucket=described["Bucket"])
    return {**described, "PolicyDocument": json.loads(found["Policy"])}


def log_group(aws: AWS, name: str, described: Properties) -> Properties:
    logs = aws.client("logs")
    [found] = logs.describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return dict(upper(found))


def metric_filter(aws: AWS, name: str, described: Properties) -> Properties:
    logs = aws.client("logs")
    [found] = logs.describe_metric_filters(filterNamePrefix=name)["metricFilters"]
    return dict(upper(found))


def upper(value: Any) -> Any:
    """Return an answer with the capitalization of the template."""
    match value:
        case dict():
            return {k[0].upper() + k[1:]: upper(part) for k, part in value.items()}
        case list():
            return [upper(part) for part in value]
    return value


def alarm(aws: AWS, name: str, described: Properties) -> Properties:
    client = aws.client("cloudwatch")
    [found] = client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(whole(found))


def whole(value: Any) -> Any:
    """Return numbers as in the template: 1 instead of 1.0."""
    match value:
        case dict():
            return {key: whole(part) for key, part in value.items()}
        case float() if value.is_integer():
            return int(value)
    return value


def dashboard(aws: AWS, name: str, described: Properties) -> Properties:
    found = aws.client("cloudwatch").get_dashboard(DashboardName=name)
    return dict(found)


def topic(aws: AWS, arn: str, described: Properties) -> Properties:
    found = aws.client("sns").get_topic_attributes(TopicArn=arn)["Attributes"]
    return {"TopicName": found["TopicArn"].rpartition(":")[2]}


def subscription(aws: AWS, arn: str, described: Properties) -> Properties:
    found: Properties = aws.client("sns").get_subscription_attributes(
        SubscriptionArn=arn
    )["Attributes"]
    return found


def schedule(aws: AWS, name: str, described: Properties) -> Properties:
    found: Properties = aws.client("scheduler").get_schedule(
        Name=name, GroupName=described["GroupName"]
    )
    return found


def schedule_group(aws: AWS, name: str, described: Properties) -> Properties:
    found: Properties = aws.client("scheduler").get_schedule_group(Name=name)
    return found


def rest_api(aws: AWS, name: str, described: Properties) -> Properties:
    return dict(upper(aws.client("apigateway").get_rest_api(restApiId=name)))


def rest_resource(aws: AWS, name: str, described: Properties) -> Properties:
    found = aws.client("apigateway").get_resource(
        restApiId=described["RestApiId"], resourceId=name
    )
    return {**upper(found), "RestApiId": described["RestApiId"]}


def rest_method(aws: AWS, name: str, described: Properties) -> Properties:
    place = {k: described[k] for k in ("HttpMethod", "ResourceId", "RestApiId")}
    found = aws.client("apigateway").get_method(
        restApiId=place["RestApiId"],
        resourceId=place["ResourceId"],
        httpMethod=place["HttpMethod"],
    )
    integration = upper(found["methodIntegration"])
    return {
        **upper(found),
        **place,
        "Integration": {
            "Type": integration["Type"],
            "Uri": integration["Uri"],
            "IntegrationHttpMethod": integration["HttpMethod"],
        },
    }


def rest_stage(aws: AWS, name: str, described: Properties) -> Properties:
    found = aws.client("apigateway").get_stage(
        restApiId=described["RestApiId"], stageName=name
    )
    settings = [
        # "*/*" is "/*" and "*" in a template.
        dict(
            zip(("ResourcePath", "HttpMethod"), f"/{path}".rsplit("/", 1), strict=True)
        )
        | {
            key: value
            for key, value in whole(upper(setting)).items()
            if key.startswith("Throttling")
        }
        for path, setting in found["methodSettings"].items()
    ]
    return {
        **upper(found),
        "RestApiId": described["RestApiId"],
        "MethodSettings": settings,
    }


def part_of_http_api(part: str, key: str) -> Read:
    def read(aws: AWS, name: str, described: Properties) -> Properties:
        place = {k: described[k] for k in ("ApiId",) if k in described}
        client = aws.client("apigatewayv2")
        found = getattr(client, f"get_{part}")(**place, **{key: name})
        return {**whole(found), **place}

    return read


READ: dict[str, Read] = {
    "AWS::ApiGateway::Method": rest_method,
    "AWS::ApiGateway::Resource": rest_resource,
    "AWS::ApiGateway::RestApi": rest_api,
    "AWS::ApiGateway::Stage": rest_stage,
    "AWS::ApiGatewayV2::Api": part_of_http_api("api", "ApiId"),
    "AWS::ApiGatewayV2::Integration": part_of_http_api("integration", "IntegrationId"),
    "AWS::ApiGatewayV2::Route": part_of_http_api("route", "RouteId"),
    "AWS::ApiGatewayV2::Stage": part_of_http_api("stage", "StageName"),
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::CloudWatch::Dashboard": dashboard,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::Role": role,
    "AWS::Lambda::Alias": alias,
    "AWS::Lambda::EventInvokeConfig": invoke_config,
    "AWS::Lambda::EventSourceMapping": mapping,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::Version": function,
    "AWS::Logs::LogGroup": log_group,
    "AWS::Logs::MetricFilter": metric_filter,
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": bucket_policy,
    "AWS::SNS::Subscription": subscription,
    "AWS::SNS::Topic": topic,
    "AWS::SQS::Queue": queue,
    "AWS::SQS::QueuePolicy": queue_policy,
    "AWS::Scheduler::Schedule": schedule,
    "AWS::Scheduler::ScheduleGroup": schedule_group,
}
