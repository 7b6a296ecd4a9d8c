"""Invalid parameters are refused, all at once, with the fix."""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER as SCHEMAS

from apps.aws_lambda.cli import ROOT, SERVERLESS
from tests.cli.cloudformation import Loader
from tests.cli.template import EVERYTHING
from tests.names import SERVICE
from tests.services.aws import REGION

PRIVATE = {"vpc": "private", "subnets": "subnet-0", "securityGroup": "sg-0"}
PROXIED = {
    "originSecret": f"ssm:/{SERVICE}/dev/origin-secret",
    "publicUrl": "https://shop.example.com",
}
DOMAIN = {name: EVERYTHING[name] for name in ("domain", "certificate")}


CALL = """
const parameters = require("./apps/aws_lambda/cli/serverless/plugin/parameters");
const [name, argument] = process.argv.slice(1);
console.log(JSON.stringify(parameters[name](JSON.parse(argument))));
"""


def read(name: str) -> Any:
    return yaml.load((ROOT / name).read_text(), Loader)  # noqa: S506


DEPLOYMENT = "apps/aws_lambda/cli/serverless"
# As the CLI resolves the file that `default` names.
BLOCKS = {
    **read("serverless.yml")["params"],
    "default": read(f"{DEPLOYMENT}/parameters.yml"),
}
FUNCTIONS = read(f"{DEPLOYMENT}/functions.yml") | read(f"{DEPLOYMENT}/tasks.yml")
EVENT_SOURCES = read(f"{DEPLOYMENT}/deployment.yml")["eventSources"]


def call(
    name: str,
    stage: str = "dev",
    blocks: dict[str, Any] = BLOCKS,
    /,
    functions: dict[str, Any] = FUNCTIONS,
    event_sources: dict[str, Any] = EVENT_SOURCES,
    **given: str,
) -> list[str]:
    """Return the sentences of the plugin for parameters after --param."""
    parameters = {
        "blocks": blocks,
        "stage": stage,
        "ofEveryStage": {},
        "given": given,
        "functions": functions,
        "eventSources": event_sources,
    }
    printed = subprocess.check_output(
        ["node", "-e", CALL, name, json.dumps(parameters)], cwd=ROOT, text=True
    )
    found: list[str] = json.loads(printed)
    return found


def problems(*args: Any, **given: Any) -> list[str]:
    return call("problems", *args, **given)


def warnings(*args: Any, **given: Any) -> list[str]:
    return call("warnings", *args, **given)


def refused(command: str, stage: str = "dev", **given: str) -> list[str]:
    """Return the problems that a command of the CLI prints."""
    process = subprocess.run(
        [
            *(SERVERLESS, command, "--stage", stage),
            *(f"--param={name}={value}" for name, value in given.items()),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    output = process.stdout + process.stderr
    assert process.returncode == 1, output
    assert f"The parameters of stage {stage} are invalid:" in output
    # A user error has no stack trace.
    assert "serverless-plugin" not in output
    return re.findall(r"^  - (.*)$", output, re.M)


def test_a_misspelled_name_is_refused_with_the_nearest_one():
    assert problems(memroy="512") == [
        "--param memroy is not a parameter. Did you mean memory?"
    ]


def test_an_attribute_of_javascript_objects_is_not_a_parameter():
    [sentence] = problems(constructor="1")

    assert sentence.startswith("--param constructor is not a parameter.")


def test_a_misspelled_name_in_any_stage_is_refused():
    blocks = {**BLOCKS, "prod": {**BLOCKS["prod"], "alarmMail": "a@example.com"}}

    assert problems("dev", blocks) == [
        "params.prod.alarmMail is not a parameter. Did you mean alarmEmail?"
    ]


def test_parameters_of_the_command_line_are_accepted():
    assert problems(artifact="dist/lambda-arm64.zip", live="http:1") == []


def test_all_problems_are_reported_before_variables_are_resolved():
    assert refused(
        "package",
        "prod",
        memroy="512",
        eventSource="restapi",
        memory="1.5",
        alarms="false",
    ) == [
        "--param memroy is not a parameter. Did you mean memory?",
        "eventSource is restapi, but must be one of http-api, rest-api, function-url, "
        "both.",
        "memory is 1.5, but must be a whole number of MB from 128 to 10240.",
        "trafficShift requires alarms: set alarms to true, or trafficShift to "
        "AllAtOnce.",
    ]


def test_other_commands_only_need_a_readable_serverless_yml():
    assert subprocess.check_output(
        [SERVERLESS, "print", "--param=memroy=512", "--param=alarmEmail=a@b.example"],
        cwd=ROOT,
    )
    [sentence] = refused("print", eventSource="restapi")
    assert sentence.startswith("eventSource is restapi")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("alarms", "yes", "one of true, false"),
        ("architecture", "arm", "one of arm64, x86_64"),
        ("certificate", "shop", "an ARN"),
        ("concurrency", "many", "a whole number"),
        ("concurrency", "0", "a whole number above 0"),
        ("databaseMaxConnections", "-1", "a whole number"),
        ("databaseProfile", "pool", "one of direct, proxy"),
        ("databaseUser", "site", "an ARN"),
        ("eventSource", "alb", "one of http-api"),
        (
            "kmsKey",
            "arn:aws:kms:eu-central-1:123456789012:alias/site",
            "the ARN of a key, not of an alias",
        ),
        ("logLevel", "WARNING", "one of TRACE, DEBUG, INFO, WARN"),
        ("logRetention", "14d", "one of 1, 3, 5, 7, 14, "),
        ("logRetention", "10", "one of 1, 3, 5, 7, 14, "),
        ("mailFrom", "example.com", "an address such as noreply@example.com"),
        ("mailFrom", "Shop <a@example.com>", "an address such as noreply@example.com"),
        ("mailFrom", "root@localhost", "an address such as noreply@example.com"),
        ("memory", "127", "a whole number of MB from 128 to 10240"),
        ("memory", "10241", "a whole number of MB from 128 to 10240"),
        ("originSecret", "hunter2", "a reference to the secret"),
        ("provisionedConcurrency", "1.0", "a whole number"),
        ("publicUrl", "shop.example.com", "a URL"),
        ("secret", "database", "an ARN"),
        ("runtime", "mine", "one of aws, own"),
        ("snapStart", "true", "one of None, PublishedVersions"),
        ("accessLogs", "on", "one of auto, true, false"),
        ("throttleBurst", "0", "a whole number above 0"),
        ("throttleRate", "0.5", "a whole number above 0"),
        ("tracing", "on", "one of true, false"),
        ("trustedProxies", "0", "a whole number above 0"),
        ("trafficShift", "CodeDeployDefault.LambdaAllAtOnce", "one of AllAtOnce, "),
        ("trafficShift", "LambdaCanary10Percent20Minutes", "one of AllAtOnce, "),
        ("trafficShift", "LambdaLinear20PercentEvery1Minute", "one of AllAtOnce, "),
        ("vpc", "public", "one of none, private"),
    ],
)
def test_an_invalid_value_is_refused(name: str, value: str, words: str):
    sentences = problems(**{name: value})

    assert sentences[0].startswith(f"{name} is {value}, but must be {words}")


def test_a_value_may_be_empty_where_the_default_is():
    blocks = {**BLOCKS, "dev": {"memory": "", "concurrency": ""}}

    assert problems("dev", blocks) == [
        "memory is empty, but must be a whole number of MB from 128 to 10240."
    ]


def test_a_stage_may_have_the_limits_of_the_account():
    blocks = {**BLOCKS, "dev": {"throttleRate": "", "throttleBurst": ""}}

    assert problems("dev", blocks) == []


def test_a_project_may_remove_a_parameter():
    default = {k: v for k, v in BLOCKS["default"].items() if k != "kmsKey"}

    assert problems("dev", {**BLOCKS, "default": default}) == []


def test_an_unresolved_value_is_not_checked():
    assert problems(secret="${ssm:/secret}") == []


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"snapStart": "PublishedVersions", "provisionedConcurrency": "1"},
            "snapStart and provisionedConcurrency exclude each other",
        ),
        (
            {"trafficShift": "LambdaCanary10Percent5Minutes"},
            "trafficShift requires alarms",
        ),
        ({"alarms": "true", "logLevel": "WARN"}, "logLevel above INFO"),
        ({"alarmEmail": "a@example.com"}, "alarmEmail requires alarms"),
        ({**DOMAIN, "eventSource": "function-url"}, "domain requires a gateway"),
        (
            {"accessLogs": "true", "eventSource": "function-url"},
            "accessLogs requires a gateway",
        ),
        ({"domain": "shop.example.com"}, "domain requires certificate"),
        (
            {"concurrency": "5", "provisionedConcurrency": "10"},
            "provisionedConcurrency exceeds concurrency",
        ),
        ({"originSecret": "ssm:/a/origin-secret"}, "originSecret requires publicUrl"),
        ({"trustedProxies": "2"}, "trustedProxies above 1 requires originSecret"),
        (
            {**PROXIED, "trustedProxies": "2", "eventSource": "function-url"},
            "trustedProxies must be 1 with function-url",
        ),
        ({"basePath": "shop"}, "basePath requires domain"),
        ({"vpc": "private"}, "vpc: private requires subnets"),
        ({"vpc": "private", "subnets": "subnet-0"}, "vpc: private requires"),
        ({"vpc": "private", "securityGroup": "sg-0"}, "vpc: private requires"),
        ({"subnets": "subnet-0"}, "subnets and securityGroup require a VPC"),
        ({"securityGroup": "sg-0"}, "subnets and securityGroup require a VPC"),
        (
            {"endpointsVpc": "vpc-0", "endpointsRouteTables": "rtb-0"},
            "endpointsVpc requires functions in a VPC",
        ),
        ({**PRIVATE, "endpointsVpc": "vpc-0"}, "endpointsVpc and endpointsRouteTables"),
        (
            {**PRIVATE, "endpointsRouteTables": "rtb-0"},
            "endpointsVpc and endpointsRouteTables",
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_contradictory_parameters_are_refused(
    parameters: dict[str, str], sentence: str
):
    [problem] = problems(**parameters)

    assert problem.startswith(sentence)


def test_compatible_parameters_are_accepted():
    assert problems(**PRIVATE, **DOMAIN, basePath="shop") == []
    assert problems(logLevel="WARN") == []
    assert problems(concurrency="10", provisionedConcurrency="10") == []
    shift = "LambdaLinear10PercentEvery1Minute"
    assert problems(alarms="true", trafficShift=shift) == []
    assert problems("prod", **EVERYTHING) == []


@pytest.mark.parametrize("stage", ["dev", "staging", "prod", "any"])
def test_every_stage_of_a_fresh_clone_is_valid(stage: str):
    assert set(BLOCKS) == {"default", "dev", "staging", "prod"}
    assert problems(stage) == []


def test_valid_values_are_those_that_variables_look_up():
    [event_source] = problems(eventSource="x")
    [vpc] = problems(vpc="x")

    assert event_source.endswith(f"one of {', '.join(EVENT_SOURCES)}.")
    assert vpc.endswith(
        f"one of {', '.join(read(f'{DEPLOYMENT}/deployment.yml')['vpc'])}."
    )


def schema(kind: str) -> dict[str, Any]:
    found = SCHEMAS.get_resource_schema(REGION, kind).schema
    return {**found["properties"], **found["definitions"]}


def test_values_of_aws_are_all_that_its_schemas_have():
    function, group = schema("AWS::Lambda::Function"), schema("AWS::Logs::LogGroup")
    architectures = function["Architectures"]["items"]["enum"]
    levels = function["LoggingConfig"]["properties"]["ApplicationLogLevel"]["enum"]
    known = {
        "architecture": architectures,
        "logLevel": levels,
        "logRetention": group["RetentionInDays"]["enum"],
        "snapStart": function["SnapStart"]["properties"]["ApplyOn"]["enum"],
    }

    for name, values in known.items():
        [problem] = problems(**{name: "x"})
        accepted = problem.partition("one of ")[2].rstrip(".").split(", ")
        assert {*accepted} == {*map(str, values)}, name
    least = function["MemorySize"]["minimum"]
    assert problems(memory="x")[0].endswith(f"from {least} to 10240.")


# Limits: the tasks function has 5 consumers, and commands hold 4 connections.


def test_more_connections_than_the_database_has_are_refused():
    [problem] = problems(concurrency="92", databaseMaxConnections="100")

    assert problem.startswith(
        "The functions may open 101 connections: concurrency (92)"
    )
    assert "databaseMaxConnections is 100: under load it refuses the rest" in problem
    assert problems(concurrency="91", databaseMaxConnections="100") == []


def test_above_80_percent_of_the_connections_there_is_a_warning():
    [warning] = warnings(concurrency="72", databaseMaxConnections="100")

    assert warning.startswith("The functions may open 81 connections")
    assert "above 80 %" in warning
    assert "RDS Proxy" in warning
    assert warnings(concurrency="71", databaseMaxConnections="100") == []
    # That is an error.
    assert warnings(concurrency="92", databaseMaxConnections="100") == []


@pytest.mark.parametrize(
    "given", [{"concurrency": "9"}, {"databaseMaxConnections": "1"}]
)
def test_connections_are_checked_only_if_both_numbers_are_known(given: dict[str, str]):
    assert problems(**given) == warnings(**given) == []


def test_a_queue_without_concurrency_limit_counts_no_consumers():
    functions = {**FUNCTIONS, "tasks": {"events": [{"sqs": {}}]}}
    given = {"concurrency": "96", "databaseMaxConnections": "100"}

    assert problems(functions=functions, **given) == []


@pytest.mark.parametrize(
    ("event_source", "timeout", "gateway"),
    [("http-api", 31, 30), ("rest-api", 30, 29), ("both", 30, 29)],
)
def test_a_timeout_above_the_gateways_is_refused(
    event_source: str, timeout: int, gateway: int
):
    functions = {**FUNCTIONS, "http": {"timeout": timeout}}
    equal = {**FUNCTIONS, "http": {"timeout": gateway}}

    [problem] = problems(functions=functions, eventSource=event_source)

    assert problem.startswith(f"functions.http.timeout is {timeout} s, but the gateway")
    assert f"after {gateway} s" in problem
    assert problems(functions=equal, eventSource=event_source) == []


def test_a_function_url_waits_as_long_as_a_function_may_run():
    functions = {**FUNCTIONS, "http": {"timeout": 900}}

    assert problems(functions=functions, eventSource="function-url") == []


def test_the_cli_prints_warnings_and_continues():
    process = subprocess.run(
        [
            *(SERVERLESS, "package", "--param=concurrency=72"),
            *("--param=databaseMaxConnections=100", "--param=artifact=missing.zip"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    output = process.stdout + process.stderr
    assert "The functions may open 81 connections" in output
    assert "missing.zip: No such file or directory" in output
