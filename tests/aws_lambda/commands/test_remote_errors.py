"""The sentences for what Lambda says of a function that failed."""

import pytest

from apps.aws_lambda.commands.remote.errors import Target, explain_failure

TARGET = Target("site-prod-manage", "live")


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: x"},
            "site-prod-manage:live ran into Lambda's timeout and was killed.",
        ),
        (
            {"errorMessage": "2026-11-25 1 Task timed out after 900.00 seconds"},
            "ran into Lambda's timeout",
        ),
        (
            {
                "errorType": "Runtime.OutOfMemory",
                "errorMessage": "RequestId: 1 Error: Runtime exited",
            },
            "give it more memorySize",
        ),
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "Error: Runtime exited with error: signal: killed",
            },
            "give it more memorySize",
        ),
        (
            {"errorType": "InitError", "errorMessage": "The init phase failed."},
            "does not start, so nothing was run: The init phase failed.",
        ),
        (
            {"errorType": "RuntimeError", "errorMessage": "other function"},
            "failed (RuntimeError): other function",
        ),
        ("text", "failed (an unknown error)"),
    ],
)
def test_each_failure_has_its_sentence_and_its_place_in_the_log(payload, sentence):
    told = str(explain_failure(payload, TARGET))

    assert sentence in told
    assert told.endswith("See the log group /aws/lambda/site-prod-manage.")


@pytest.mark.parametrize("qualifier", ["", ":7", ":live", ":$LATEST"])
@pytest.mark.parametrize(
    "before",
    [
        "",
        "function:",
        "123456789012:function:",
        "eu-central-1:123456789012:function:",
        "arn:aws:lambda:eu-central-1:123456789012:function:",
        "arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:",
    ],
)
@pytest.mark.parametrize("name", ["site-prod-manage", "a-function"])
def test_the_log_group_is_that_of_the_name_however_it_is_spelled(
    before: str, name: str, qualifier: str
):
    assert Target(before + name + qualifier).log_group == f"/aws/lambda/{name}"
