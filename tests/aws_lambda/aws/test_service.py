"""The endpoints of AWS services, compared with those of botocore."""

import botocore.session
import pytest

from apps.aws_lambda.aws.service import endpoint

SESSION = botocore.session.Session()
REGIONS = [
    region
    for partition in SESSION.get_available_partitions()
    for region in SESSION.get_available_regions(
        "ssm", partition_name=partition, allow_non_regional=False
    )
]


@pytest.mark.parametrize(
    ("prefix", "service"),
    [
        ("secretsmanager", "secretsmanager"),
        ("sqs", "sqs"),
        ("ssm", "ssm"),
        ("email", "sesv2"),
    ],
)
def test_every_region_of_every_partition_has_the_endpoint_of_botocore(
    prefix: str, service: str
):
    assert {r.partition("-")[0] for r in REGIONS} >= {"cn", "eu", "eusc", "us"}
    for region in REGIONS:
        client = SESSION.create_client(
            service,
            region_name=region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

        assert endpoint({"AWS_REGION": region}, prefix) == client.meta.endpoint_url
