"""
What a template describes, and what boto3 finds of it.

For the kinds of tests/services/aws_asked.py that shows that the services take such
properties and keep them, and no more: they were given from the same template.
"""

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from tests.deploy.cloudformation import Settled, plain
from tests.deploy.release.readers import READ, Properties
from tests.services.aws import AWS, REGION

ACCOUNT = "123456789012"
# What the local AWS does not keep, by kind.
FORGOTTEN = {
    # Recorded, and not asked for: test_template.py looks at them.
    "AWS::Lambda::Function": {"Architectures", "Code", "LoggingConfig", "SnapStart"},
    # It looks behind the alias.
    "AWS::Lambda::EventSourceMapping": {"FunctionName"},
    "AWS::ApiGateway::RestApi": {"BinaryMediaTypes", "EndpointConfiguration", "Policy"},
    "AWS::ApiGateway::Method": {
        "ApiKeyRequired",
        "MethodResponses",
        "RequestParameters",
    },
}
# What it has no memory of at all. The template is what there is to look at.
UNKNOWN = {"AWS::ApiGateway::Deployment", "AWS::Lambda::Permission"}


class ReadBack:
    """A stack as it was described, with the names that were given to its resources."""

    def __init__(self, aws: AWS, stack: str) -> None:
        self.aws = aws
        client = aws.client("cloudformation")
        template = client.get_template(StackName=stack)["TemplateBody"]
        described = json.loads(template) if isinstance(template, str) else template
        self.body = Settled(described, {}).body
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

    def settled(self, value: Any) -> Any:
        """Return a value of the template as text, with the names filled in."""
        match value:
            case dict():
                return {key: self.settled(part) for key, part in value.items()}
            case list():
                return [self.settled(part) for part in value]
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
        found: Properties = self.settled(plain(kept))
        return found

    def found(self, name: str) -> Properties:
        """Return what boto3 finds of them."""
        described, physical = self.described(name), self.names[name]
        read = READ[self.body["Resources"][name]["Type"]]
        found = plain(read(self.aws, physical, described))
        return {key: found.get(key) for key in described}

    def differences(self) -> dict[str, Any]:
        """Return what is not as it was described, by logical ID."""
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
            value = self.settled(plain(output["Value"]))
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
