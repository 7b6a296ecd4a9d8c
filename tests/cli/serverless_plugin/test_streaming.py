"""What the parameter `streaming` changes in the web function."""

import json
import subprocess
from typing import Any

import pytest

from apps.aws_lambda.cli import ROOT

CALL = """
const { useStreaming } = require("./apps/aws_lambda/cli/serverless/plugin/streaming");
const [argument] = process.argv.slice(1);
const service = JSON.parse(argument);
const processedInput = { commands: [process.argv[2]] };
useStreaming({ processedInput, service });
console.log(JSON.stringify(service.functions));
"""
STREAMED = {"timeoutInMillis": 900_000, "response": {"transferMode": "STREAM"}}


def use_streaming(
    streaming: bool, http: dict[str, Any], command: str = "package"
) -> Any:
    service = {
        "custom": {"deployment": {"streaming": streaming}},
        "functions": {"http": http, "other": {"events": [{"http": "GET /other"}]}},
    }
    printed = subprocess.check_output(
        ["node", "-e", CALL, json.dumps(service), command], cwd=ROOT, text=True
    )
    functions = json.loads(printed)
    assert functions["other"] == service["functions"]["other"]
    return functions["http"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("ANY /", {"method": "ANY", "path": "/"} | STREAMED),
        (
            {"method": "get", "path": "/a", "timeoutInMillis": 60_000, "cors": True},
            {"method": "get", "path": "/a", "cors": True}
            | STREAMED
            | {"timeoutInMillis": 60_000},
        ),
    ],
)
def test_the_events_of_a_rest_api_stream(given: Any, expected: Any):
    events = [{"http": given}, {"httpApi": "*"}]

    http = use_streaming(True, {"events": events})

    assert http["events"] == [{"http": expected}, {"httpApi": "*"}]
    assert http["environment"] == {"LAMBDA_STREAMING": "true"}


@pytest.mark.parametrize("url", [True, {"cors": True}])
def test_a_function_url_streams(url: Any):
    http = use_streaming(True, {"url": url})

    more = {} if url is True else url
    assert http["url"] == {**more, "invokeMode": "RESPONSE_STREAM"}


def test_without_the_parameter_nothing_changes():
    http = {"events": [{"http": "ANY /"}], "url": True}

    assert use_streaming(False, http) == http
    # It cannot stream.
    assert use_streaming(True, http, "offline") == http
