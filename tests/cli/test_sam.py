"""SAM deploys the same as the Serverless CLI, and it works."""

import json
import os
import platform
import re
import shlex
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from apps.aws_lambda.cli import ROOT
from apps.aws_lambda.cli.configuration import FILE, Configuration
from apps.aws_lambda.cli.package.runtime import environment, lambda_runtime
from tests.cli import template
from tests.cli.cloudformation import Evaluated, plain, read, renamed
from tests.cli.template import EVERYTHING
from tests.events import load_event
from tests.names import SERVICE
from tests.services import install, sam
from tests.services.install import Unavailable

TEMPLATE = ROOT / "template.yaml"

# Parameters that SAM's template does not have.
LEFT_OUT = {
    "eventSource": "it has an HTTP API, and a comment about the others",
    "architecture": "in the template, where the Makefile reads it",
    "databaseMaxConnections": "checked by the Serverless plugin",
    "bootstrap": "only in serverless.yml",
    "alarms": "only in serverless.yml",
    "alarmEmail": "only in serverless.yml",
    "trafficShift": "only in serverless.yml; SAM has DeploymentPreference",
    "vpc": "subnets turn it on",
    "endpointsVpc": "only in serverless.yml",
    "endpointsRouteTables": "only in serverless.yml",
    "streaming": "an HTTP API buffers",
}
# A resource has that name.
PARAMETERS = {"domain": "DomainName"}
# The default "" stands for the stage's own.
REFERENCES = ("secretKey", "databaseUrl")

# Every optional part that both have.
COMMON = {
    name: value
    for name, value in EVERYTHING.items()
    if name == "vpc" or name not in LEFT_OUT
} | {
    "memory": "1769",
    "logRetention": "90",
    "logLevel": "DEBUG",
    "originSecret": f"ssm:/{SERVICE}/dev/origin-secret",
}

# Resources that only the Serverless CLI creates.
FRAMEWORK = {
    "ServerlessDeploymentBucket": "SAM's bucket of packages has its own stack",
    "ServerlessDeploymentBucketPolicy": "the same",
}


def own_resources() -> set[str]:
    """Return those of the site itself, in serverless.yml and not in a file."""
    parts = read(ROOT / "serverless.yml")["resources"]
    return {
        name for part in parts if isinstance(part, dict) for name in part["Resources"]
    }


# Properties that only one of the two sets, by type of resource.
DIFFERENCES = {
    ("Lambda::Function", "Code"): "where the package is uploaded to",
    ("Lambda::Function", "Tags"): "SAM tags what it creates",
    ("Lambda::Version", "CodeSha256"): "the Serverless CLI verifies the package",
    ("Lambda::Version", "Description"): "the Serverless CLI copies the function's",
    ("Lambda::EventInvokeConfig", "DestinationConfig"): "empty: there is none",
    ("Lambda::EventSourceMapping", "Enabled"): "true is the default",
    ("Scheduler::Schedule", "State"): "ENABLED is the default",
}
# Lambda's default, which a condition cannot leave out in SAM.
NOT_TRACED = {"Mode": "PassThrough"}


def name_of(parameter: str) -> str:
    return PARAMETERS.get(parameter, parameter[0].upper() + parameter[1:])


@cache
def stage(name: str) -> dict[str, str]:
    """Return the parameters of a stage in samconfig.toml."""
    configuration = tomllib.loads((ROOT / "samconfig.toml").read_text())
    overrides = configuration[name]["deploy"]["parameters"]["parameter_overrides"]
    return dict(override.split("=", 1) for override in overrides)


def deployed_by_sam(parameters: dict[str, str]) -> dict[str, Any]:
    evaluated = Evaluated(read(TEMPLATE), parameters)
    # As `sam package` leaves it.
    function = evaluated.body["Globals"]["Function"]
    function["CodeUri"] = "s3://bucket/package"
    assert function["Architectures"] == ["arm64"]
    function["Architectures"] = [template.ARCHITECTURE]
    return comparable(sam.find().transform(evaluated.body)["Resources"])


def deployed_by_serverless(made: template.Template) -> dict[str, Any]:
    resources = comparable(made.resources)
    assert set(resources) >= set(FRAMEWORK)
    return {k: v for k, v in resources.items() if k not in FRAMEWORK}


# Logical IDs of the two frameworks, and the common ones.
NAMES = (
    (r"(\w+)LambdaFunctionAliaslive", r"\1Live"),
    (r"(\w+)Lambda(?:Function)?Version\w+", r"\1Version"),
    (r"(\w+)LambdaFunctionEventInvokeConfig", r"\1LambdaEvConf"),
    (r"TasksLambdaFunctionQueue", "TasksEventSourceMappingSQSTaskQueue"),
    (
        r"ScheduleLambdaFunction"
        r"(ClearSessions|PruneTaskResults|PurgeUploads|SendDigest)",
        r"Schedule\1",
    ),
    # `custom.schedules` of serverless.yml.
    (r"(ScheduleSendDigest)[0-9a-f]{8}", r"\1"),
)


def common_name(name: str) -> str:
    for pattern, replacement in NAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, replacement, name)
    return name


def comparable(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the integration's resources by common names, without differences."""
    own = own_resources()
    resources = {k: v for k, v in resources.items() if k not in own}
    names = {name: common_name(name) for name in resources}
    assert len(set(names.values())) == len(names)
    found = {}
    for name, resource in resources.items():
        kind = resource["Type"].removeprefix("AWS::")
        properties = {
            key: value
            for key, value in resource.get("Properties", {}).items()
            if (kind, key) not in DIFFERENCES
            and (key, value) != ("TracingConfig", NOT_TRACED)
        }
        # SAM does not set RetainExceptOnCreate.
        policies = {k: v for k, v in resource.items() if k.endswith("Policy")}
        kept = {} if kind == "Lambda::Version" else policies
        found[names[name]] = through_the_alias(
            renamed(plain({"Type": kind, **kept, **properties}), names)
        )
    return found


def through_the_alias(value: Any) -> Any:
    """Return a value in which aliases have one form: "...Arn}:live"."""
    if isinstance(value, dict):
        return {key: through_the_alias(part) for key, part in value.items()}
    if isinstance(value, list):
        return [through_the_alias(part) for part in value]
    # A Ref to an alias is its ARN.
    return re.sub(r"\$\{(\w+)Live\}", r"${\1LambdaFunction.Arn}:live", value)


# The comparison


def test_stages_of_samconfig_have_the_parameters_of_serverless_yml():
    text = (ROOT / "serverless.yml").read_text()
    # As text, like SAM's parameters. It makes strings, lists and mappings only.
    stages = yaml.load(text, yaml.BaseLoader)["params"]  # noqa: S506
    known = read(TEMPLATE)["Parameters"]
    del stages["default"]
    text = (ROOT / "apps/aws_lambda/cli/serverless/parameters.yml").read_text()
    defaults = yaml.load(text, yaml.BaseLoader)  # noqa: S506

    assert {name_of(name) for name in set(defaults) - set(LEFT_OUT)} == set(known) - {
        "Stage"
    }
    for name in set(defaults) - set(LEFT_OUT) - set(REFERENCES):
        assert str(known[name_of(name)]["Default"]) == defaults[name], name
    for name, parameters in stages.items():
        expected = {
            name_of(key): value
            for key, value in (parameters or {}).items()
            if key not in LEFT_OUT
        }
        config = "default" if name == "dev" else name
        assert stage(config) == {"Stage": name} | expected


def test_the_deployment_of_a_fresh_clone_is_equal():
    assert deployed_by_sam(stage("default")) == deployed_by_serverless(
        template.default()
    )


def test_the_deployment_of_every_optional_part_is_equal():
    parameters = {
        name_of(name): value for name, value in COMMON.items() if name not in LEFT_OUT
    }

    made = template.package("dev", tuple(COMMON.items()))

    assert deployed_by_sam(parameters) == deployed_by_serverless(made)


def test_the_comparison_covers_every_kind_of_resource():
    resources = deployed_by_serverless(template.default())

    for kind, number in {
        "Lambda::Function": 4,
        "Lambda::Alias": 4,
        "Lambda::Version": 4,
        "Logs::LogGroup": 5,
        "IAM::Role": 5,
        "IAM::ManagedPolicy": 3,
        "SQS::Queue": 2,
        "Scheduler::ScheduleGroup": 1,
        "S3::Bucket": 1,
        "Scheduler::Schedule": 4,
        "Lambda::EventSourceMapping": 1,
        "ApiGatewayV2::Route": 1,
    }.items():
        assert [r["Type"] for r in resources.values()].count(kind) == number


# A failed update

AWS_PROGRAM = """\
#!/bin/bash
echo "$@" >> "$LOG"
case "$2" in
get-alias) echo 12 ;;
list-versions-by-function) printf '11\\t12\\t13\\t14\\n' ;;
esac
"""


def test_the_documented_commands_delete_the_versions_of_a_failed_update(
    tmp_path: Path,
):
    page = (ROOT / "docs" / "sam.md").read_text()
    section = page.partition("## After a failed update")[2]
    block = section.partition("```console\n")[2].partition("```")[0]
    for name in ("aws", "sam"):
        (tmp_path / name).write_text(AWS_PROGRAM)
        (tmp_path / name).chmod(0o755)
    log = tmp_path / "log"

    install.run(
        ["bash", "-euc", re.sub(r"^\$ ", "", block, flags=re.M)],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "LOG": str(log)},
    )

    lines = log.read_text().splitlines()
    deleted = [line for line in lines if line.startswith("lambda delete-function")]
    names = [
        f"{SERVICE}-dev-{name}" for name in ("http", "tasks", "schedule", "manage")
    ]
    assert deleted == [
        f"lambda delete-function --function-name {name} --qualifier {version}"
        for name in names
        for version in (13, 14)
    ]
    [query] = {
        line.partition("--query ")[2] for line in lines if "list-versions" in line
    }
    assert query == "Versions[?Version != '$LATEST'].Version --output text"
    assert lines[-1] == "deploy"


# The CLI


def test_sam_validates_the_template():
    output = sam.find().run("validate", "--lint")

    assert "is a valid SAM Template" in output


def test_sam_rejects_an_invalid_template(tmp_path: Path):
    wrong = tmp_path / "template.yaml"
    wrong.write_text(TEMPLATE.read_text().replace("MemorySize: 1024", "MemorySize: 1"))

    with pytest.raises(Unavailable, match="ended with code 1"):
        sam.find().run("validate", "--lint", "--template", str(wrong))


def test_the_documented_installation_of_sam_works(tmp_path: Path):
    page = (ROOT / "docs" / "sam.md").read_text()
    block = page.partition("```console\n")[2].partition("```")[0]
    setup, *commands = re.findall(r"^\$ (.*)$", block, re.M)
    script = " && ".join([*commands, "sam --version"])
    for folder in ("$PWD/.run/sam", ".run/sam"):
        script = script.replace(folder, str(tmp_path / "sam"))

    output = install.run(
        ["bash", "-c", script], cwd=ROOT, env={**os.environ, "SAM_CLI_TELEMETRY": "0"}
    )

    assert setup == "make setup"
    version = re.search(r"^aws-sam-cli==(\S+)", sam.LOCK.read_text(), re.M)
    assert version
    assert f"SAM CLI, version {version[1]}" in output


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `sam build` made, for this machine's architecture."""
    folder = tmp_path_factory.mktemp("sam") / "build"
    arm = platform.machine() in ("aarch64", "arm64")
    sam.find().run(
        "build", "--build-dir", str(folder), ARCH="arm64" if arm else "x86_64"
    )
    return folder


def test_the_build_of_sam_serves_a_request(built: Path, tmp_path: Path):
    variables = {
        "ENV_FILE": "/dev/null",
        "STAGE": "test",
        "ALLOWED_HOSTS": "*",
        "SECRET_KEY": "only-for-tests",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "MEDIA_BUCKET": "media",
    }
    event = load_event("http_default", rawPath="/health/live")
    package = built / "HttpLambdaFunction"

    with (
        lambda_runtime() as runtime,
        environment(package, runtime, "http", variables) as running,
    ):
        response = running.invoke(event)

    assert response["statusCode"] == 200
    assert json.loads(response["body"])


def test_every_function_has_the_whole_package(built: Path):
    packages = {
        path.parent.name: path.read_bytes() for path in built.glob("*/build.json")
    }

    functions = [n for n in read(TEMPLATE)["Resources"] if n.endswith("LambdaFunction")]
    assert sorted(packages) == sorted(functions)
    assert len(set(packages.values())) == 1


def test_the_makefile_rebuilds_after_a_change_of_any_input():
    makefile = (ROOT / "apps/aws_lambda/cli/sam/Makefile").read_text()
    inputs = re.search(r"^INPUTS = ((?:.*\\\n)*.*)$", makefile, re.M)
    package = Configuration.read()

    assert inputs
    named = set(shlex.split(inputs[1].replace("\\\n", " ")))
    assert {*package.code, *package.files, package.lock, FILE} <= named
