"""Requests of AWS clients as accesses."""

import pytest

from tests.services.aws import REGION
from tests.services.aws_requests import ACCOUNT, accesses
from tests.services.iam import Access
from tests.services.local_lambda import Asked

BUCKET = "arn:aws:s3:::packages"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:shop-prod-http"


def asked(
    service: str, method: str, path: str, body: bytes = b"", **more: str
) -> Asked:
    scope = f"AWS4-HMAC-SHA256 Credential=key/20261126/{REGION}/{service}/aws4_request"
    return Asked(method, path, {"authorization": scope, **more}, body)


@pytest.mark.parametrize(
    ("request_", "needed"),
    [
        (
            asked("s3", "POST", "/packages/a.zip?uploads="),
            Access("s3:PutObject", f"{BUCKET}/a.zip"),
        ),
        (asked("s3", "GET", "/packages?list-type=2"), Access("s3:ListBucket", BUCKET)),
        (
            asked("lambda", "POST", "/2015-03-31/functions/shop-prod-http/invocations"),
            Access("lambda:InvokeFunction", FUNCTION),
        ),
        (
            asked("lambda", "GET", "/2015-03-31/functions/shop-prod-http/aliases/live"),
            Access("lambda:GetAlias", FUNCTION),
        ),
        (
            asked(
                "ssm",
                "POST",
                "/",
                b'{"Names": ["/shop/prod/key"]}',
                **{"X-Amz-Target": "AmazonSSM.GetParameters"},
            ),
            Access(
                "ssm:GetParameters",
                f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/shop/prod/any",
            ),
        ),
    ],
)
def test_a_request_needs_an_action_on_a_resource(request_: Asked, needed: Access):
    assert accesses(request_) == [needed]


def test_a_stack_is_changed_with_a_role_that_must_be_passed():
    body = b"Action=UpdateStack&StackName=shop-prod&RoleARN=arn:role"

    change, passing = accesses(asked("cloudformation", "POST", "/", body))

    assert change.context == (("cloudformation:RoleArn", "arn:role"),)
    assert (passing.action, passing.resource) == ("iam:PassRole", "arn:role")


def test_a_request_without_signature_is_not_ignored():
    with pytest.raises(LookupError, match="has no signature"):
        accesses(Asked("GET", "/", {}, b""))
