"""A stage: its serverless.yml, its stack, and the versions behind its aliases."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import boto3

from ...commands.remote.region import Region, find_region
from ...commands.remote.responses import check_responses
from .. import ROOT
from ..arguments import stage_command
from ..report import DeployError
from . import serverless
from .errors import NotFound, Refused, errors_of_aws
from .progress import Progress, Versions

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


class AliasMoved(Refused):
    """Another command has moved the alias."""


class Stage:
    """
    A stage of serverless.yml, and its resources on AWS.

    ``parameters`` and ``region`` override those of serverless.yml. boto3 and the
    Serverless CLI find credentials as usual. Every method raises DeployError if AWS
    refuses a call, and the constructor if the name is invalid or serverless.yml cannot
    be read.
    """

    # The option --region.
    asked_region = ""

    def __init__(
        self,
        name: str,
        parameters: Mapping[str, str] | None = None,
        region: str | None = None,
    ) -> None:
        check_name(name)
        self.name = name
        self.asked_region = region or ""
        self.options: list[str] = ["--stage", name]
        if region:
            self.options += ["--region", region]
        for key, value in (parameters or {}).items():
            self.options += ["--param", f"{key}={value}"]
        self.configuration = serverless.read(self.options)

    @cached_property
    def progress(self) -> Progress:
        """Return what this command has done to the stage."""
        return Progress()

    def command(self, name: str, arguments: Sequence[str] = (), **options: str) -> str:
        """Return the command line of a command for this stage, in the same region."""
        return stage_command(name, self.name, self.asked_region, arguments, **options)

    @property
    def region(self) -> str:
        return str(self.configuration["provider"]["region"])

    @property
    def origin(self) -> Region:
        """Return the region with its source."""
        return find_region(self.asked_region, folder=ROOT).named(self.region)

    @property
    def environment_variables(self) -> dict[str, Any]:
        """Return provider.environment of serverless.yml."""
        return self.configuration["provider"].get("environment") or {}

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
            return check_responses(boto3.client(service, region_name=self.region))

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
            origin = self.origin
            elsewhere = stage_command("info", self.name, origin.another)
            raise NotFound(
                f"There is no stack {self.stack_name} in {self.region}. "
                f"{origin.origin()}",
                advice=f"{self.command('deploy')} creates it, or if it is in another "
                f"region: {elsewhere}",
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
            status = ""
        self.progress.forget("stack")
        return status if status.endswith("_IN_PROGRESS") else ""

    def wait_for_update(self) -> None:
        """Return once CloudFormation no longer changes the stack."""
        while self.update_status():
            time.sleep(POLL_SECONDS)

    def public_url(self) -> str:
        """Return the public URL of the site, without a slash at the end."""
        outputs = self.outputs()
        for url in (
            self.environment_variables.get("PUBLIC_URL"),
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
        if alias == LIVE:
            self.progress.answer(found)
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
        place = {"FunctionName": self.functions[name], "Name": alias}
        change = self.progress.move(name, version) if alias == LIVE else nullcontext()
        try:
            found = self.call("lambda", "get_alias", **place)
        except NotFound:
            with change:
                self.call("lambda", "create_alias", FunctionVersion=version, **place)
            return
        now = str(found["FunctionVersion"])
        if instead_of and now not in (instead_of, version):
            raise AliasMoved(
                f"Another command has moved the alias {alias} of "
                f"{self.functions[name]} to version {now}; it was {instead_of}.",
                advice=self.command("info"),
            )
        with change:
            self.call(
                "lambda",
                "update_alias",
                FunctionVersion=version,
                # A stopped canary may have left weights.
                RoutingConfig={"AdditionalVersionWeights": {}},
                # AWS refuses the call if the alias has changed since.
                RevisionId=found["RevisionId"],
                **place,
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
