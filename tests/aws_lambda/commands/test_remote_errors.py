"""The message for each way in which a function can fail."""

import pytest

from apps.aws_lambda.commands.remote.errors import Target, function_error

TARGET = Target("site-prod-manage", "live")


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        (
            {"errorType": "Sandbox.Timedout", "errorMessage": "RequestId: 1 Error: x"},
            "site-prod-manage:live reached its Lambda timeout and was killed.",
        ),
        (
            {"errorMessage": "2026-11-25 1 Task timed out after 900.00 seconds"},
            "reached its Lambda timeout",
        ),
        (
            {
                "errorType": "Runtime.OutOfMemory",
                "errorMessage": "RequestId: 1 Error: Runtime exited",
            },
            "increase its memorySize",
        ),
        (
            {
                "errorType": "Runtime.ExitError",
                "errorMessage": "Error: Runtime exited with error: signal: killed",
            },
            "increase its memorySize",
        ),
        (
            {"errorType": "InitError", "errorMessage": "The init phase failed."},
            "failed to start, so the command did not run: The init phase failed.",
        ),
        (
            {"errorType": "RuntimeError", "errorMessage": "other function"},
            "failed (RuntimeError): other function",
        ),
        ("text", "failed (unknown error)"),
    ],
)
def test_the_message_of_a_failure_names_its_cause_and_the_log_group(payload, sentence):
    message = str(function_error(payload, TARGET))

    assert sentence in message
    assert message.endswith("See the log group /aws/lambda/site-prod-manage.")


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
def test_a_name_and_an_arn_have_the_same_log_group(
    before: str, name: str, qualifier: str
):
    assert Target(before + name + qualifier).log_group == f"/aws/lambda/{name}"


@pytest.mark.parametrize(
    ("name", "qualifier", "target"),
    [
        ("shop-prod-manage", None, "shop-prod-manage:live"),
        ("shop-prod-manage", "12", "shop-prod-manage:12"),
        ("shop-prod-manage:7", None, "shop-prod-manage:7"),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:shop-manage",
            None,
            "arn:aws:lambda:eu-west-1:123456789012:function:shop-manage:live",
        ),
        (
            "arn:aws:lambda:eu-west-1:123456789012:function:shop-manage:7",
            None,
            "arn:aws:lambda:eu-west-1:123456789012:function:shop-manage:7",
        ),
    ],
)
def test_a_command_runs_on_the_live_version_by_default(
    name: str, qualifier: str | None, target: str
):
    assert str(Target.of(name, qualifier)) == target
