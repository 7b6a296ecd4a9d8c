"""
Compare a deployed template with what boto3 finds.

For the types in tests/services/aws_stack_resources.py this shows only that the services
accept and keep such properties, because they were passed on from the same template.
"""

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from tests.cli.cloudformation import Evaluated, plain
from tests.cli.release.readers import READ, Properties
from tests.services.aws import AWS, REGION

ACCOUNT = "123456789012"
# Properties that the local AWS does not keep, by kind.
FORGOTTEN = {
    # test_template.py checks these. moto has no GetFunctionRecursionConfig.
    "AWS::Lambda::Function": {
        "Architectures",
        "Code",
        "LoggingConfig",
        "RecursiveLoop",
        "SnapStart",
    },
    # moto resolves the alias.
    "AWS::Lambda::EventSourceMapping": {"FunctionName"},
    "AWS::ApiGateway::RestApi": {"BinaryMediaTypes", "EndpointConfiguration", "Policy"},
    "AWS::ApiGateway::Method": {
        "ApiKeyRequired",
        "MethodResponses",
        "RequestParameters",
    },
}
# Kinds that it does not keep at all.
UNKNOWN = {"AWS::ApiGateway::Deployment", "AWS::Lambda::Permission"}


class ReadBack:
    """A stack: its template, with the physical IDs of its resources."""

    def __init__(self, aws: AWS, stack: str) -> None:
        self.aws = aws
        client = aws.client("cloudformation")
        template = client.get_template(StackName=stack)["TemplateBody"]
        described = json.loads(template) if isinstance(template, str) else template
        self.body = Evaluated(described, {}).body
        pages = client.get_paginator("list_stack_resources").paginate(StackName=stack)
        self.names = {
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
        [found] = client.describe_stacks(StackName=stack)["Stacks"]
        self.outputs = {o["OutputKey"]: o["OutputValue"] for o in found["Outputs"]}
        self.values = {
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            **self.names,
        }
        for name, resource in self.body["Resources"].items():
            physical = self.names[name]
            self.values |= {
                f"{name}.Arn": arn(resource["Type"], physical),
                f"{name}.Version": physical.rpartition(":")[2],
                f"{name}.QueueName": physical.rpartition("/")[2],
                f"{name}.TopicName": physical.rpartition(":")[2],
            }
        self.values["ApiGatewayRestApi.RootResourceId"] = self.root()

    def root(self) -> str:
        client = self.aws.client("apigateway")
        apis = client.get_rest_apis()["items"]
        return next((str(api["rootResourceId"]) for api in apis), "")

    def resolved(self, value: Any) -> Any:
        """Return a value of the template as text, with physical IDs."""
        match value:
            case dict():
                return {key: self.resolved(part) for key, part in value.items()}
            case list():
                return [self.resolved(part) for part in value]
        return re.sub(r"\$\{([\w.:]+)\}", lambda m: self.values[m[1]], value)

    def described(self, name: str) -> Properties:
        """Return the properties of a resource, as far as the local AWS keeps them."""
        resource = self.body["Resources"][name]
        forgotten = FORGOTTEN.get(resource["Type"], set())
        kept = {
            key: part
            for key, part in resource.get("Properties", {}).items()
            if key not in forgotten
        }
        found: Properties = self.resolved(plain(kept))
        return found

    def found(self, name: str) -> Properties:
        """Return the same properties as boto3 finds them."""
        described, physical = self.described(name), self.names[name]
        read = READ[self.body["Resources"][name]["Type"]]
        found = plain(read(self.aws, physical, described))
        return {key: found.get(key) for key in described}

    def differences(self) -> dict[str, Any]:
        """Return what differs from the template, by logical ID."""
        different: dict[str, Any] = {}
        for name, resource in self.body["Resources"].items():
            if resource["Type"] in UNKNOWN:
                continue
            described = self.described(name)
            try:
                found = self.found(name)
            except (ClientError, LookupError) as error:
                different[name] = repr(error)
                continue
            wrong = {k: (v, found[k]) for k, v in described.items() if v != found[k]}
            if wrong:
                different[name] = wrong
        for name, output in self.body["Outputs"].items():
            value = self.resolved(plain(output["Value"]))
            if self.outputs.get(name) != value:
                different[name] = (value, self.outputs.get(name))
        return different


def arn(kind: str, name: str) -> str:
    """Return the ARN of a resource, given its physical ID."""
    place = f"{REGION}:{ACCOUNT}"
    match kind:
        case "AWS::IAM::Role":
            return f"arn:aws:iam::{ACCOUNT}:role/{name}"
        case "AWS::Lambda::Function":
            return f"arn:aws:lambda:{place}:function:{name}"
        case "AWS::Logs::LogGroup":
            return f"arn:aws:logs:{place}:log-group:{name}:*"
        case "AWS::S3::Bucket":
            return f"arn:aws:s3:::{name}"
        case "AWS::SQS::Queue":
            return f"arn:aws:sqs:{place}:{name.rpartition('/')[2]}"
    return name
