"""A stage: what serverless.yml says of it, and what CloudFormation has made of that."""

import time
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from ..report import Stopped
from . import serverless

# Seconds between two looks at the stack.
INTERVAL = 5.0


class Stage:
    """
    What serverless.yml says of a stage, and what AWS does.

    Credentials are found as boto3 and the Serverless CLI find them. Raises Stopped
    if serverless.yml cannot be read, or AWS refuses.
    """

    def __init__(self, name: str, parameters: Mapping[str, str] | None = None) -> None:
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
        return str(self.configuration["custom"]["trafficShift"])

    @property
    def stack_name(self) -> str:
        return f"{self.configuration['service']}-{self.name}"

    @property
    def functions(self) -> dict[str, str]:
        """Return the names at AWS of the functions of serverless.yml."""
        found = self.configuration["functions"]
        return {name: str(found[name]["name"]) for name in found}

    def serverless(self, command: str, *options: str) -> None:
        """Run a command of the Serverless CLI, which writes to the terminal."""
        serverless.run(command, [*self.options, *options])

    def client(self, service: str) -> Any:
        """Return boto3's client for the stage's region."""
        try:
            return boto3.client(service, region_name=self.region)
        except BotoCoreError as error:
            raise Stopped(f"AWS cannot be asked: {error}") from error

    def ask(self, service: str, operation: str, **parameters: Any) -> Any:
        """Return AWS's answer. Raises Stopped, or NotThere."""
        try:
            return getattr(self.client(service), operation)(**parameters)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            message = error.response["Error"]["Message"]
            if code in ("ResourceNotFoundException", "ParameterNotFound") or (
                code == "ValidationError" and "does not exist" in message
            ):
                raise NotThere(message) from error
            raise Stopped(f"AWS refuses {service} {operation}: {message}") from error
        except BotoCoreError as error:
            raise Stopped(f"AWS cannot be asked: {error}") from error

    def describe(self) -> dict[str, Any]:
        """Return the stack as CloudFormation describes it. Raises NotThere."""
        try:
            answer = self.ask(
                "cloudformation", "describe_stacks", StackName=self.stack_name
            )
        except NotThere as error:
            raise NotThere(
                f"There is no {self.stack_name} in {self.region}.",
                advice=f"make deploy STAGE={self.name}",
            ) from error
        found: dict[str, Any] = answer["Stacks"][0]
        return found

    def outputs(self) -> dict[str, str]:
        """Return the outputs of the stack. Raises NotThere."""
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in self.describe().get("Outputs", ())
        }

    def busy(self) -> str:
        """Return the status of a stack that CloudFormation is at work on, else ""."""
        try:
            status = str(self.describe()["StackStatus"])
        except NotThere:
            return ""
        return status if status.endswith("_IN_PROGRESS") else ""

    def wait(self) -> None:
        """Return once CloudFormation has done its work."""
        while self.busy():
            time.sleep(INTERVAL)

    def public_url(self) -> str:
        """Return where people find the site, without a slash at the end."""
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
        raise Stopped("The stack has no URL among its outputs.")

    def missing_parameters(self) -> list[str]:
        """Return the parameters of SSM that serverless.yml names and nobody has set."""
        values = self.configuration["provider"]["environment"].values()
        names = [
            value.removeprefix("ssm:")
            for value in values
            if isinstance(value, str) and value.startswith("ssm:")
        ]
        if not names:
            return []
        answer = self.ask("ssm", "get_parameters", Names=names)
        return list(answer["InvalidParameters"])


class NotThere(Stopped):
    """AWS has no such thing."""
