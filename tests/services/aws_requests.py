"""Requests of AWS clients as accesses, which policies allow or not."""

import json
import re
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import botocore.session
from botocore.model import ServiceModel

from tests.names import SERVICE
from tests.services.aws import REGION
from tests.services.iam import Access
from tests.services.local_lambda import Asked

ACCOUNT = "123456789012"
SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/")
CBOR = re.compile(r"/service/\w+/operation/(\w+)")
# Services that sign with another name than botocore's.
SERVICES = {"monitoring": "cloudwatch"}
# Actions that are not named after the operation: of S3 by the method and by what the
# path and the query name.
ACTIONS = {
    ("lambda", "Invoke"): ["lambda:InvokeFunction"],
    ("s3", "DELETE bucket"): ["s3:DeleteBucket"],
    ("s3", "DELETE key"): ["s3:DeleteObject"],
    ("s3", "GET bucket"): ["s3:ListBucket"],
    ("s3", "GET bucket list-type"): ["s3:ListBucket"],
    ("s3", "GET bucket location"): ["s3:GetBucketLocation"],
    ("s3", "GET bucket versions"): ["s3:ListBucketVersions"],
    ("s3", "GET key"): ["s3:GetObject"],
    ("s3", "HEAD bucket"): ["s3:ListBucket"],
    ("s3", "HEAD key"): ["s3:GetObject"],
    ("s3", "POST bucket delete"): ["s3:DeleteObject", "s3:DeleteObjectVersion"],
    # The start and the end of an upload in parts.
    ("s3", "POST key"): ["s3:PutObject"],
    ("s3", "PUT key"): ["s3:PutObject"],
}
WITHOUT_PERMISSION = {
    # The Serverless CLI looks for a repository of images, which no stage has. It
    # continues if it may not.
    "ecr:DescribeRepositories",
    # Every principal may.
    "sts:GetCallerIdentity",
}
# Their resource in a policy is "*".
WITHOUT_RESOURCE = {
    "cloudformation:ValidateTemplate",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetMetricData",
    "ec2:DescribeVpcAttribute",
    "lambda:ListEventSourceMappings",
}


def accesses(asked: Asked) -> list[Access]:
    """Return what a request needs. Raises LookupError if that is not known here."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    scope = SCOPE.search(headers.get("authorization", ""))
    if not scope:
        raise LookupError(f"{asked.method} {asked.path} has no signature.")
    service = SERVICES.get(scope[1], scope[1])
    operation, values = _operation(service, asked, headers)
    actions = ACTIONS.get((service, operation), [f"{service}:{operation}"])
    needed = []
    for action in actions:
        if action in WITHOUT_PERMISSION:
            continue
        resource = "*"
        if action not in WITHOUT_RESOURCE:
            resource = _resource(service, action, values)
        context = _context(values)
        needed.append(Access(action, resource, context))
        if role := dict(context).get("cloudformation:RoleArn"):
            passed = (("iam:PassedToService", "cloudformation.amazonaws.com"),)
            needed.append(Access("iam:PassRole", role, passed))
    return needed


def _operation(
    service: str, asked: Asked, headers: dict[str, str]
) -> tuple[str, dict[str, Any]]:
    """Return the operation and its parameters."""
    url = urlsplit(asked.path)
    query = {k: v[0] for k, v in parse_qs(url.query, keep_blank_values=True).items()}
    if target := headers.get("x-amz-target"):
        return target.rpartition(".")[2], json.loads(asked.body)
    if cbor := CBOR.fullmatch(url.path):
        return cbor[1], {}
    if service == "s3":
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        kind = "key" if key else "bucket"
        names = [
            n for n in ("list-type", "location", "versions", "delete") if n in query
        ]
        if kind == "key":
            names = []
        words = " ".join([asked.method, kind, *names])
        return words, {"Bucket": bucket, "Key": key}
    if "Action=" in asked.body.decode(errors="replace"):
        form = {k: v[0] for k, v in parse_qs(asked.body.decode()).items()}
        return form["Action"], form
    path = url.path.rstrip("/")
    for method, pattern, name in _routes(service):
        found = pattern.fullmatch(path)
        if found and method == asked.method:
            groups = {k: unquote(v) for k, v in found.groupdict().items()}
            return name, groups | query
    raise LookupError(f"{service} has no operation for {asked.method} {asked.path}.")


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    loader = botocore.session.get_session().get_component("data_loader")
    model = ServiceModel(loader.load_service_model(service, "service-2"))
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
        routes.append((http["method"], re.compile(pattern), name))
    return routes


def _resource(service: str, action: str, values: dict[str, Any]) -> str:
    place = f"{REGION}:{ACCOUNT}"
    match service:
        case "cloudformation":
            name = values["StackName"]
            found = f"arn:aws:cloudformation:{place}:stack/{name}/id"
            return name if name.startswith("arn:") else found
        case "codedeploy":
            if name := values.get("applicationName"):
                group = values.get("deploymentGroupName")
                kind = (
                    f"deploymentgroup:{name}/{group}"
                    if group
                    else f"application:{name}"
                )
                return f"arn:aws:codedeploy:{place}:{kind}"
            # Of a deployment, it is its group.
            return f"arn:aws:codedeploy:{place}:deploymentgroup:{SERVICE}-prod/http"
        case "iam":
            return str(values.get("PolicySourceArn") or values["RoleName"])
        case "lambda":
            name = str(values["FunctionName"]).rpartition("function:")[2]
            qualifier = values.get("Qualifier")
            name += f":{qualifier}" if qualifier and ":" not in name else ""
            return f"arn:aws:lambda:{place}:function:{name}"
        case "logs":
            name = values.get("logGroupName") or values["logGroupIdentifier"]
            return f"arn:aws:logs:{place}:log-group:{name}:*"
        case "s3":
            end = f"/{values['Key']}" if values["Key"] else ""
            if action.startswith(("s3:DeleteObject", "s3:GetObject", "s3:PutObject")):
                end = end or "/a-key-in-the-body"
            return f"arn:aws:s3:::{values['Bucket']}{end}"
        case "sqs":
            return f"arn:aws:sqs:{place}:{values['QueueUrl'].rpartition('/')[2]}"
        case "ssm":
            names = values.get("Names") or [values["Name"]]
            [folder] = {name.rpartition("/")[0] for name in names}
            return f"arn:aws:ssm:{place}:parameter{folder}/any"
    raise LookupError(f"The resources of {action} are not known.")


def _context(values: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    role = values.get("RoleARN")
    return (("cloudformation:RoleArn", str(role)),) if role else ()
