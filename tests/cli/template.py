"""The CloudFormation template that `serverless package` compiles."""

import json
import platform
import subprocess
import tempfile
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zipfile import ZipFile, ZipInfo

from apps.aws_lambda.cli import ROOT, SERVERLESS
from tests import environment
from tests.cli.cloudformation import Evaluated
from tests.names import SERVICE

# This machine cannot run packages for it, so that an empty package is enough.
ARCHITECTURE = "x86_64" if platform.machine() in ("aarch64", "arm64") else "arm64"

# Every optional part.
EVERYTHING = {
    "eventSource": "rest-api",
    "publicUrl": "https://shop.example.com/shop",
    "domain": "shop.example.com",
    "certificate": "arn:aws:acm:eu-central-1:123456789012:certificate/"
    "01234567-89ab-cdef-0123-456789abcdef",
    "basePath": "shop",
    "originSecret": f"ssm:/{SERVICE}/prod/origin-secret",
    "trustedProxies": "2",
    "accessLogs": "true",
    "corsOrigins": "https://app.example.com,https://other.example.com",
    "runtime": "own",
    "streaming": "true",
    "concurrency": "20",
    "provisionedConcurrency": "2",
    "secret": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:database-AbCdEf",
    "kmsKey": "arn:aws:kms:eu-central-1:123456789012:key/"
    "01234567-89ab-cdef-0123-456789abcdef",
    "databaseUrl": "secretsmanager:database:url",
    "databaseUser": "arn:aws:rds-db:eu-central-1:123456789012:dbuser:db-ABC/site",
    "databaseMaxConnections": "100",
    "mailFrom": "noreply@example.com",
    "tracing": "true",
    "alarmEmail": "night@example.com",
    "vpc": "private",
    "subnets": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "securityGroup": "sg-0123456789abcdef0",
    "endpointsVpc": "vpc-0123456789abcdef0",
    "endpointsRouteTables": "rtb-0123456789abcdef0",
}

Resource = dict[str, Any]


class PackageError(Exception):
    """The output of a failed `serverless package`."""


class Template:
    """
    A compiled template as CloudFormation deploys it; ``path`` is its file.

    ``body`` and ``resources`` have only what the conditions of the stage leave.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.body: dict[str, Any] = Evaluated(json.loads(path.read_text()), {}).body
        self.resources: dict[str, Resource] = self.body["Resources"]

    def of_type(self, *types: str) -> dict[str, Resource]:
        """Return the resources of these types, by logical ID: "Lambda::Alias"."""
        wanted = {f"AWS::{name}" for name in types}
        return {k: v for k, v in self.resources.items() if v["Type"] in wanted}

    def properties(self, name: str) -> dict[str, Any]:
        """Return the properties of a resource."""
        found: dict[str, Any] = self.resources[name]["Properties"]
        return found

    def environment(self, function: str = "Http") -> dict[str, Any]:
        """Return the environment variables of a function."""
        properties = self.properties(f"{function}LambdaFunction")
        found: dict[str, Any] = properties["Environment"]["Variables"]
        return found


def empty_package(archive: Path, architecture: str = ARCHITECTURE) -> Path:
    """Write a package without code: its content does not change the template."""
    manifest = {
        "architecture": architecture,
        "build_id": "0123456789abcdef",
        "python": "3.13",
    }
    with ZipFile(archive, "w") as file:
        # Without a time: the version of a function depends on the bytes.
        file.writestr(ZipInfo("build.json"), json.dumps(manifest))
    return archive


@cache
def package(
    stage: str = "dev", parameters: tuple[tuple[str, str], ...] = ()
) -> Template:
    """Package the project, and return its template. Raises PackageError."""
    digest = sha256(repr((stage, parameters)).encode()).hexdigest()
    folder = environment.once(f"template-{digest}", lambda: _package(stage, parameters))
    return Template(folder / "cloudformation-template-update-stack.json")


def _package(stage: str, parameters: tuple[tuple[str, str], ...]) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="serverless-"))
    archive = empty_package(folder / "package.zip")
    process = subprocess.run(
        [
            *(SERVERLESS, "package", "--stage", stage, "--package", folder),
            f"--param=artifact={archive}",
            f"--param=architecture={ARCHITECTURE}",
            *(f"--param={name}={value}" for name, value in parameters),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise PackageError(process.stdout + process.stderr)
    return folder


def default() -> Template:
    """Return the template of the stage dev in a fresh clone."""
    return package()


def everything() -> Template:
    """Return the template of a production stage with every optional part."""
    return package("prod", tuple(EVERYTHING.items()))


def function_url() -> Template:
    """Return the template of a site behind a Function URL."""
    return package("dev", (("eventSource", "function-url"),))
