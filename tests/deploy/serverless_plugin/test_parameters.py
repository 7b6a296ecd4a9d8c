"""Parameters that cannot be right are refused, all at once, with what to do."""

import json
import re
import subprocess
from typing import Any

import pytest
import yaml

from local.offline import ROOT, SERVERLESS
from tests.deploy.cloudformation import Loader
from tests.deploy.template import EVERYTHING

PRIVATE = {"vpc": "private", "subnets": "subnet-0", "securityGroup": "sg-0"}
DOMAIN = {name: EVERYTHING[name] for name in ("domain", "certificate")}


PROBLEMS = """
const { problems } = require("./deploy/serverless-plugin/parameters");
console.log(JSON.stringify(problems(JSON.parse(process.argv[1]))));
"""


def read(name: str) -> Any:
    return yaml.load((ROOT / name).read_text(), Loader)  # noqa: S506


BLOCKS = read("serverless.yml")["params"]


def problems(
    stage: str = "dev", blocks: dict[str, Any] = BLOCKS, /, **given: str
) -> list[str]:
    """Return what the plugin says of parameters after --param."""
    parameters = {"blocks": blocks, "stage": stage, "given": given}
    said = subprocess.check_output(
        ["node", "-e", PROBLEMS, json.dumps(parameters)],
        cwd=ROOT,
        text=True,
    )
    found: list[str] = json.loads(said)
    return found


def refused(command: str, stage: str = "dev", **given: str) -> list[str]:
    """Return what a command of the CLI says of them."""
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
    said = process.stdout + process.stderr
    assert process.returncode == 1, said
    assert f"The parameters of stage {stage} cannot be right:" in said
    # It is no fault of the plugin's, and so has no stack trace.
    assert "serverless-plugin" not in said
    return re.findall(r"^  - (.*)$", said, re.M)


def test_a_misspelt_name_is_refused_with_the_nearest_one():
    assert problems(memroy="512") == [
        "--param memroy is no parameter. Do you mean memory?"
    ]


def test_a_name_of_javascript_is_no_parameter():
    [sentence] = problems(constructor="1")

    assert sentence.startswith("--param constructor is no parameter.")


def test_a_misspelt_name_in_any_stage_of_serverless_yml_is_refused():
    blocks = {**BLOCKS, "prod": {**BLOCKS["prod"], "alarmMail": "a@example.com"}}

    assert problems("dev", blocks) == [
        "params.prod.alarmMail is no parameter. Do you mean alarmEmail?"
    ]


def test_those_of_the_command_line_are_parameters():
    assert problems(artifact="dist/lambda-arm64.zip", live="http:1") == []


def test_every_problem_is_told_at_once_before_anything_is_looked_up():
    assert refused(
        "package", "prod", memroy="512", door="restapi", memory="1.5", alarms="false"
    ) == [
        "--param memroy is no parameter. Do you mean memory?",
        "door is restapi, and has to be one of http-api, rest-api, function-url, both.",
        "memory is 1.5, and has to be a whole number.",
        "trafficShift looks at alarms, and alarms is not true: make it true, or "
        "trafficShift AllAtOnce.",
    ]


def test_a_stage_with_them_can_be_looked_at_if_the_cli_can_read_it():
    assert subprocess.check_output(
        [SERVERLESS, "print", "--param=memroy=512", "--param=alarmEmail=a@b.example"],
        cwd=ROOT,
    )
    [sentence] = refused("print", door="restapi")
    assert sentence.startswith("door is restapi")


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
        ("door", "alb", "one of http-api"),
        (
            "kmsKey",
            "arn:aws:kms:eu-central-1:123456789012:alias/site",
            "the ARN of a key, not of an alias",
        ),
        ("logLevel", "WARNING", "one of TRACE, DEBUG, INFO, WARN"),
        ("logRetention", "14d", "a whole number"),
        ("memory", "1.5", "a whole number"),
        ("provisionedConcurrency", "1.0", "a whole number"),
        ("publicUrl", "shop.example.com", "a URL"),
        ("secret", "database", "an ARN"),
        ("snapStart", "true", "one of None, PublishedVersions"),
        ("tracing", "on", "one of true, false"),
        ("trafficShift", "CodeDeployDefault.LambdaAllAtOnce", "AllAtOnce, or"),
        ("trafficShift", "LambdaCanary10Percent5Minuets", "AllAtOnce, or"),
        ("vpc", "public", "one of none, private"),
    ],
)
def test_a_value_that_means_nothing_is_refused(name: str, value: str, words: str):
    sentences = problems(**{name: value})

    assert sentences[0].startswith(f"{name} is {value}, and has to be {words}")


def test_a_value_may_be_empty_where_that_means_none():
    blocks = {**BLOCKS, "dev": {"memory": "", "concurrency": ""}}

    assert problems("dev", blocks) == ["memory is empty, and has to be a whole number."]


def test_a_project_may_take_a_parameter_away():
    default = {k: v for k, v in BLOCKS["default"].items() if k != "kmsKey"}

    assert problems("dev", {**BLOCKS, "default": default}) == []


def test_a_value_that_is_looked_up_later_is_not_judged():
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
            "trafficShift looks at alarms, and alarms is not true",
        ),
        ({"alarms": "true", "logLevel": "WARN"}, "logLevel is above INFO"),
        ({"alarmEmail": "a@example.com"}, "alarmEmail gets alarms"),
        ({**DOMAIN, "door": "function-url"}, "domain is for a gateway"),
        ({"domain": "shop.example.com"}, "domain needs certificate"),
        (
            {"concurrency": "5", "provisionedConcurrency": "10"},
            "provisionedConcurrency is more than concurrency",
        ),
        ({"basePath": "shop"}, "basePath is a path of domain"),
        ({"vpc": "private"}, "vpc is private, which needs subnets"),
        ({"vpc": "private", "subnets": "subnet-0"}, "vpc is private, which needs"),
        ({"vpc": "private", "securityGroup": "sg-0"}, "vpc is private, which needs"),
        ({"subnets": "subnet-0"}, "subnets and securityGroup are for a VPC"),
        ({"securityGroup": "sg-0"}, "subnets and securityGroup are for a VPC"),
        (
            {"endpointsVpc": "vpc-0", "endpointsRouteTables": "rtb-0"},
            "endpointsVpc makes endpoints for functions in a VPC",
        ),
        ({**PRIVATE, "endpointsVpc": "vpc-0"}, "endpointsVpc and endpointsRouteTables"),
        (
            {**PRIVATE, "endpointsRouteTables": "rtb-0"},
            "endpointsVpc and endpointsRouteTables",
        ),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
def test_parameters_that_contradict_each_other_are_refused(
    parameters: dict[str, str], sentence: str
):
    [said] = problems(**parameters)

    assert said.startswith(sentence)


def test_what_goes_together_is_not_refused():
    assert problems(**PRIVATE, **DOMAIN, basePath="shop") == []
    assert problems(logLevel="WARN") == []
    assert problems(concurrency="10", provisionedConcurrency="10") == []
    shift = "LambdaLinear10PercentEvery1Minute"
    assert problems(alarms="true", trafficShift=shift) == []
    assert problems("prod", **EVERYTHING) == []


@pytest.mark.parametrize("stage", ["dev", "staging", "prod", "any"])
def test_every_stage_of_a_fresh_clone_is_right(stage: str):
    assert set(BLOCKS) == {"default", "dev", "staging", "prod"}
    assert problems(stage) == []


def test_the_words_that_are_allowed_are_those_that_are_looked_up():
    [door] = problems(door="x")
    [vpc] = problems(vpc="x")

    doors = read("serverless.yml")["custom"]["doors"]
    assert door.endswith(f"one of {', '.join(doors)}.")
    assert vpc.endswith(f"one of {', '.join(read('deploy/resources/vpc.yml'))}.")
