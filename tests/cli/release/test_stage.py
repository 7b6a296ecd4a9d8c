"""Errors of calls to AWS are sentences with what to do."""

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ProfileNotFound,
)

from apps.aws_lambda.cli.release.errors import NotFound, errors_of_aws
from apps.aws_lambda.cli.report import DeployError, next_command


@pytest.mark.parametrize(
    "error", [NoCredentialsError(), ProfileNotFound(profile="shop")]
)
def test_missing_credentials_have_the_command_that_gets_them(error: Exception):
    with (
        pytest.raises(DeployError, match="Could not call lambda get_alias") as raised,
        errors_of_aws("lambda get_alias"),
    ):
        raise error

    assert "aws configure sso" in next_command(raised.value, "again")


def test_aws_out_of_reach_is_tried_again():
    with (
        pytest.raises(DeployError, match="No connection to lambda") as raised,
        errors_of_aws("lambda get_alias"),
    ):
        raise EndpointConnectionError(endpoint_url="https://lambda/a")

    assert "run: make info" in next_command(raised.value, "make info")


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ResourceNotFoundException", NotFound), ("AccessDenied", DeployError)],
)
def test_a_refusal_of_aws_has_its_reason(code: str, kind: type[DeployError]):
    answer = {"Error": {"Code": code, "Message": "Not for you"}}
    with pytest.raises(kind, match="Not for you"), errors_of_aws("lambda get_alias"):
        raise ClientError(answer, "GetAlias")
