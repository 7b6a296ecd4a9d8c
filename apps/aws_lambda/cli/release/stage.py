"""A stage: its serverless.yml, its stack, and the versions behind its aliases."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from itertools import batched
from typing import Any

import boto3
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from ...aws.limits import MAX_GET_PARAMETERS_NAMES
from ..report import DeployError, command
from . import serverless

POLL_SECONDS = 5.0
# It is a part of the names of stacks and functions.
# https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
# The alias that all event sources invoke.
LIVE = "live"
# The alias on the version that was live before: the target of a rollback.
PREVIOUS = "previous"
# How many versions are kept besides those of the two aliases.
KEPT_VERSIONS = 3

WITHOUT_CREDENTIALS = (
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
LOGIN = (
    "name a profile of ~/.aws/config in AWS_PROFILE, and run: aws sso login, or aws "
    "configure if it has keys. Then run the command again"
)

# "ssm:/shop/prod/url" of "ssm:/shop/prod/url:3", and "secretsmanager:db" of
# "secretsmanager:db:url".
REFERENCE = re.compile(r"ssm:[^:]+|secretsmanager:(arn:[^:]+(:[^:]*){5}|[^:]+)")

# Function -> version: {"http": "12", "tasks": "9"}
Versions = dict[str, str]

NOT_FOUND_CODES = (
    "NotFoundException",  # SES
    "ParameterNotFound",
    "ResourceNotFoundException",
)


class NotFound(DeployError):
    """The resource does not exist on AWS."""


class AliasMoved(DeployError):
    """Another command has moved the alias."""


@contextmanager
def errors_of_aws(call: str) -> Iterator[None]:
    """Raise DeployError or NotFound for the errors of a call, such as "s3 list"."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        message = error.response["Error"]["Message"]
        if code in NOT_FOUND_CODES or (
            code == "ValidationError" and "does not exist" in message
        ):
            raise NotFound(message) from error
        raise DeployError(f"AWS refused {call}: {message}") from error
    except BotoCoreError as error:
        advice = LOGIN if isinstance(error, WITHOUT_CREDENTIALS) else ""
        raise DeployError(f"Could not call AWS: {error}", advice) from error


class Stage:
    """
    A stage of serverless.yml, and its resources on AWS.

    ``parameters`` override those of serverless.yml. boto3 and the Serverless CLI find
    credentials as usual. Every method raises DeployError if AWS refuses a call, and
    the constructor if the name is invalid or serverless.yml cannot be read.
    """

    def __init__(self, name: str, parameters: Mapping[str, str] | None = None) -> None:
        check_name(name)
        self.name = name
        self.options: list[str] = ["--stage", name]
        for key, value in (parameters or {}).items():
            self.options += ["--param", f"{key}={value}"]
        self.configuration = serverless.read(self.options)

    @property
    def region(self) -> str:
        return str(self.configuration["provider"]["region"])

    @property
    def traffic_shift(self) -> str:
        return str(self.configuration["custom"]["deployment"]["trafficShift"])

    @property
    def endpoints_vpc(self) -> str:
        """Return the VPC in which the stack creates endpoints, or ""."""
        return str(self.configuration["custom"]["deployment"]["endpointsVpc"])

    @property
    def stack_name(self) -> str:
        return f"{self.configuration['service']}-{self.name}"

    @property
    def functions(self) -> dict[str, str]:
        """Return the names of the functions on AWS, by those in serverless.yml."""
        found = self.configuration["functions"]
        return {name: str(found[name]["name"]) for name in found}

    def serverless(
        self,
        command: str,
        *options: str,
        write: Callable[[str], None] | None = None,
    ) -> None:
        """
        Run a command of the Serverless CLI.

        It writes to the terminal, or calls ``write`` with each line of its output.
        """
        serverless.run(command, [*self.options, *options], write)

    def client(self, service: str) -> Any:
        """Return a boto3 client for the stage's region."""
        with errors_of_aws(service):
            return boto3.client(service, region_name=self.region)

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        """Call AWS, and return its answer. Raises DeployError or NotFound."""
        client = self.client(service)
        with errors_of_aws(f"{service} {operation}"):
            return getattr(client, operation)(**parameters)

    # The stack

    def stack(self) -> dict[str, Any]:
        """Return CloudFormation's description of the stack. Raises NotFound."""
        try:
            answer = self.call(
                "cloudformation", "describe_stacks", StackName=self.stack_name
            )
        except NotFound as error:
            raise NotFound(
                f"There is no stack {self.stack_name} in {self.region}.",
                advice=command("deploy", stage=self.name),
            ) from error
        found: dict[str, Any] = answer["Stacks"][0]
        return found

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack. Raises NotFound."""
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in self.stack().get("Outputs", ())
        }

    def update_status(self) -> str:
        """Return the stack's status while CloudFormation changes it, otherwise ""."""
        try:
            status = str(self.stack()["StackStatus"])
        except NotFound:
            return ""
        return status if status.endswith("_IN_PROGRESS") else ""

    def wait_for_update(self) -> None:
        """Return once CloudFormation no longer changes the stack."""
        while self.update_status():
            time.sleep(POLL_SECONDS)

    def public_url(self) -> str:
        """Return the public URL of the site, without a slash at the end."""
        environment = self.configuration["provider"]["environment"]
        outputs = self.outputs()
        for url in (
            environment.get("PUBLIC_URL"),
            outputs.get("HttpApiUrl"),
            outputs.get("ServiceEndpoint"),
            outputs.get("HttpLambdaFunctionUrl"),
        ):
            if url:
                return str(url).rstrip("/")
        raise DeployError(
            f"The stack {self.stack_name} has no URL among its outputs. Set publicUrl "
            "in serverless.yml."
        )

    def missing_parameters(self) -> list[str]:
        """Return the SSM parameters that serverless.yml names but do not exist."""
        return [
            name
            for answer in self._parameters()
            for name in answer["InvalidParameters"]
        ]

    def parameters_version(self) -> str:
        """Return a text that changes with each value of the SSM parameters."""
        found = sorted(
            f"{parameter['Name']}:{parameter['Version']}"
            for answer in self._parameters()
            for parameter in answer["Parameters"]
        )
        return sha256("\n".join(found).encode()).hexdigest()[:16]

    def _parameters(self) -> Iterator[dict[str, Any]]:
        """Yield what SSM returns for the parameters that serverless.yml names."""
        values = self.configuration["provider"]["environment"].values()
        names = [
            value.removeprefix("ssm:")
            for value in values
            if isinstance(value, str) and value.startswith("ssm:")
        ]
        for batch in batched(names, MAX_GET_PARAMETERS_NAMES):
            yield self.call("ssm", "get_parameters", Names=list(batch))

    def missing_dns(self) -> list[str]:
        """Return the attributes that the endpoints' VPC lacks for private DNS."""
        if not self.endpoints_vpc:
            return []
        # EC2 returns one attribute per call.
        return [
            attribute
            for attribute in ("enableDnsSupport", "enableDnsHostnames")
            if not self.call(
                "ec2",
                "describe_vpc_attribute",
                VpcId=self.endpoints_vpc,
                Attribute=attribute,
            )[attribute[0].upper() + attribute[1:]]["Value"]
        ]

    def lost_references(self, live: Versions) -> list[str]:
        """
        Return the references to secrets that only the live versions have.

        Their roles lose the permission as soon as CloudFormation updates the stack.
        """
        lost = set()
        for name, version in live.items():
            configured = self.call(
                "lambda",
                "get_function_configuration",
                FunctionName=self.functions[name],
                Qualifier=version,
            )
            lost |= references(configured.get("Environment", {}).get("Variables", {}))
        return sorted(lost - references(self.configuration["provider"]["environment"]))

    # Versions and aliases

    def published(self) -> Versions:
        """Return the versions that the last deployment published, {} before one."""
        outputs = self.outputs()
        arns = {
            name: outputs.get(f"{name[0].upper()}{name[1:]}LambdaFunctionQualifiedArn")
            for name in self.functions
        }
        return {name: arn.rpartition(":")[2] for name, arn in arns.items() if arn}

    def versions(self, alias: str = LIVE) -> Versions:
        """Return the versions behind an alias, without functions that lack it."""
        found = {}
        for name, function in self.functions.items():
            try:
                answer = self.call(
                    "lambda", "get_alias", FunctionName=function, Name=alias
                )
            except NotFound:
                continue
            found[name] = str(answer["FunctionVersion"])
        return found

    def is_shifting(self) -> bool:
        """Return whether two versions share the traffic of the web function."""
        alias = self.call(
            "lambda", "get_alias", FunctionName=self.functions["http"], Name=LIVE
        )
        return bool((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights"))

    def set_alias(
        self,
        name: str,
        version: str,
        alias: str = LIVE,
        *,
        instead_of: str | None = None,
    ) -> None:
        """
        Point an alias of a function to a version, and create it if missing.

        Raises AliasMoved if it points to a version other than ``instead_of``.
        """
        parameters: dict[str, Any] = {
            "FunctionName": self.functions[name],
            "Name": alias,
        }
        try:
            found = self.call("lambda", "get_alias", **parameters)
        except NotFound:
            self.call("lambda", "create_alias", FunctionVersion=version, **parameters)
            return
        now = str(found["FunctionVersion"])
        if instead_of and now not in (instead_of, version):
            raise AliasMoved(
                f"Another command has moved the alias {alias} of "
                f"{self.functions[name]} to version {now}; it was {instead_of}.",
                advice=command("info", stage=self.name),
            )
        self.call(
            "lambda",
            "update_alias",
            FunctionVersion=version,
            # A stopped canary may have left weights.
            RoutingConfig={"AdditionalVersionWeights": {}},
            # AWS refuses the call if the alias has changed since.
            RevisionId=found["RevisionId"],
            **parameters,
        )

    def set_previous(self, versions: Versions) -> None:
        """Make these versions the target of a rollback."""
        for name, version in versions.items():
            self.set_alias(name, version, PREVIOUS)

    def delete_old_versions(self) -> None:
        """Delete versions that no rollback needs: they use Lambda's code storage."""
        live, previous = self.versions(), self.versions(PREVIOUS)
        for name, function in self.functions.items():
            pages = self.client("lambda").get_paginator("list_versions_by_function")
            with errors_of_aws("lambda list_versions_by_function"):
                numbers = [
                    int(version["Version"])
                    for page in pages.paginate(FunctionName=function)
                    for version in page["Versions"]
                    if version["Version"] != "$LATEST"
                ]
            used = {int(found[name]) for found in (live, previous) if name in found}
            old = sorted({*numbers} - used)
            for number in old[: max(len(old) - KEPT_VERSIONS, 0)]:
                self.call(
                    "lambda",
                    "delete_function",
                    FunctionName=function,
                    Qualifier=str(number),
                )


def check_name(name: str) -> None:
    """Raise DeployError if a stage cannot have this name."""
    if not NAME.fullmatch(name):
        raise DeployError(
            f"The stage is {name!r}, and its name must be a letter, then letters, "
            "digits and hyphens (STAGE of make, --stage).",
            advice="give the name of a stage, such as dev or prod",
        )
    if name == "local":
        raise DeployError(
            "The stage is 'local', with which the settings are those of a developer's "
            "machine: plain HTTP, and a public SECRET_KEY.",
            advice="give another name, such as dev or prod",
        )


def describe(versions: Versions) -> str:
    """Return versions as text: "version 12", or "versions http 12, tasks 9"."""
    if not versions:
        return "none"
    numbers = set(versions.values())
    if len(numbers) == 1:
        return f"version {numbers.pop()}"
    return "versions " + ", ".join(f"{name} {v}" for name, v in versions.items())


def references(variables: Mapping[str, Any]) -> set[str]:
    """Return the references in environment variables, without versions and keys."""
    found = (REFERENCE.match(str(value)) for value in variables.values())
    return {match[0] for match in found if match}
