"""The origin of a bucket, compared with the links that botocore signs."""

from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config

from apps.aws_lambda.aws import s3


@pytest.mark.parametrize(
    "region", ["eu-central-1", "us-east-1", "us-west-2", "cn-north-1"]
)
@pytest.mark.parametrize(
    ("bucket", "endpoint"),
    [("media", ""), ("a.b", ""), ("media", "http://127.0.0.1:4566")],
)
def test_it_is_that_of_signed_links(
    monkeypatch: pytest.MonkeyPatch, bucket: str, region: str, endpoint: str
):
    environ = {"AWS_REGION": region}
    if endpoint:
        environ["AWS_ENDPOINT_URL"] = endpoint
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    client = boto3.client(
        "s3",
        region_name=region,
        aws_access_key_id="AKIA",
        aws_secret_access_key="secret",
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )
    link = urlsplit(
        client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "a b"})
    )

    assert s3.origin(environ, bucket) == f"{link.scheme}://{link.netloc}"


def test_without_a_region_it_is_the_global_one():
    assert s3.origin({}, "media") == "https://media.s3.amazonaws.com"
    assert s3.origin({"AWS_DEFAULT_REGION": "eu-west-1"}, "media") == (
        "https://media.s3.eu-west-1.amazonaws.com"
    )
