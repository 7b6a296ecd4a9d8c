"""The variable that starts the runtime client of the package."""

import json
import subprocess
from typing import Any

import pytest

from apps.aws_lambda.cli import ROOT

WRAPPER = "AWS_LAMBDA_EXEC_WRAPPER"
OTHER = "/opt/otel-instrument"

CALL = """
const { useRuntime } = require("./apps/aws_lambda/cli/serverless/plugin/runtime");
const [argument] = process.argv.slice(1);
const service = JSON.parse(argument);
const refused = [];
useRuntime({ service }, (reason) => refused.push(reason));
console.log(JSON.stringify({ refused, environment: service.provider.environment }));
"""


def use_runtime(
    runtime: str,
    provider: dict[str, str] | None = None,
    function: dict[str, str] | None = None,
) -> Any:
    service = {
        "custom": {"deployment": {"runtime": runtime}},
        "functions": {"http": {"environment": function or {}}, "manage": {}},
        "plugins": ["./apps/aws_lambda/cli/serverless/plugin"],
        "provider": {"environment": {"STAGE": "dev", **(provider or {})}},
    }
    printed = subprocess.check_output(
        ["node", "-e", CALL, json.dumps(service)], cwd=ROOT, text=True
    )
    return json.loads(printed)


def test_own_names_the_wrapper_in_the_package():
    assert use_runtime("own") == {
        "refused": [],
        "environment": {
            "STAGE": "dev",
            WRAPPER: "/var/task/apps/aws_lambda/runtime/wrapper",
        },
    }


def test_aws_adds_nothing_and_leaves_the_variable_to_a_layer():
    assert use_runtime("aws")["environment"] == {"STAGE": "dev"}
    found = use_runtime("aws", {WRAPPER: OTHER}, {WRAPPER: OTHER})
    assert found == {"refused": [], "environment": {"STAGE": "dev", WRAPPER: OTHER}}


@pytest.mark.parametrize(
    ("place", "given"),
    [
        ("provider.environment", {"provider": {WRAPPER: OTHER}}),
        ("functions.http.environment", {"function": {WRAPPER: OTHER}}),
    ],
)
def test_a_layer_that_needs_the_variable_is_refused(place: str, given: Any):
    [reason] = use_runtime("own", **given)["refused"]

    assert reason.startswith(f'{WRAPPER} is "{OTHER}" in {place}')
    assert "set runtime to aws: docs/runtime.md" in reason
