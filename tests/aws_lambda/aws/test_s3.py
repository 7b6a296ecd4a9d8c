"""Links and requests to S3, compared with those of botocore, and S3's errors."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from apps.aws_lambda.aws import s3, service
from apps.aws_lambda.aws.http import AwsError, Response
from apps.aws_lambda.aws.s3 import Bucket
from tests.services.http_stub import HttpStub

REGIONS = ["eu-central-1", "us-east-1", "us-west-2", "cn-north-1", "eusc-de-east-1"]
ENDPOINT = "http://127.0.0.1:4566"


@cache
def client(region: str, endpoint: str = "", token: str = "") -> Any:
    style = "path" if endpoint else "virtual"
    regional = {"us_east_1_regional_endpoint": "regional"}
    return boto3.client(
        "s3",
        region_name=region,
        endpoint_url=endpoint or None,
        aws_access_key_id="AKIA",
        aws_secret_access_key="secret",
        aws_session_token=token or None,
        config=Config(
            signature_version="s3v4", s3={"addressing_style": style, **regional}
        ),
    )


def environment(region: str, endpoint: str = "", token: str = "") -> dict[str, str]:
    return {
        "AWS_REGION": region,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": token,
    }


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize(
    ("bucket", "endpoint"), [("media", ""), ("a.b", ""), ("media", ENDPOINT)]
)
def test_the_origin_is_that_of_signed_links(bucket: str, region: str, endpoint: str):
    link = urlsplit(
        client(region, endpoint).generate_presigned_url(
            "get_object", {"Bucket": bucket, "Key": "a b"}
        )
    )

    ours = s3.origin(environment(region, endpoint), bucket)

    assert ours == f"{link.scheme}://{link.netloc}"


def test_without_a_region_the_origin_is_the_global_one():
    assert s3.origin({}, "media") == "https://media.s3.amazonaws.com"
    assert s3.origin({"AWS_DEFAULT_REGION": "eu-west-1"}, "media") == (
        "https://media.s3.eu-west-1.amazonaws.com"
    )


def test_the_endpoint_of_s3_precedes_that_of_all_services():
    environ = {"AWS_ENDPOINT_URL": "http://a:1", "AWS_ENDPOINT_URL_S3": "http://b:2"}

    assert s3.origin(environ, "media") == "http://b:2"


# What each kind of link is in botocore's words, and in ours.
LINKS: dict[str, Any] = {
    "get": ("get_object", {}, "GET", {}, {}),
    "get with another name": (
        "get_object",
        {
            "ResponseContentDisposition": "attachment; filename*=utf-8''%C3%A4.pdf",
            "ResponseContentType": "text/plain; charset=utf-8",
        },
        "GET",
        {
            "response-content-disposition": "attachment; filename*=utf-8''%C3%A4.pdf",
            "response-content-type": "text/plain; charset=utf-8",
        },
        {},
    ),
    "head": ("head_object", {}, "HEAD", {}, {}),
    "put": (
        "put_object",
        {
            "ContentLength": 3,
            "ContentType": "image/png",
            "ContentDisposition": 'attachment; filename="a  b.png"',
            "IfNoneMatch": "*",
            "ChecksumSHA256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        },
        "PUT",
        {},
        {
            "content-length": "3",
            "content-type": "image/png",
            "content-disposition": 'attachment; filename="a  b.png"',
            "if-none-match": "*",
            "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        },
    ),
    "part": (
        "upload_part",
        {
            "PartNumber": 3,
            "UploadId": "a/b+c",
            "ContentLength": 5,
            "ChecksumSHA256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        },
        "PUT",
        {"partNumber": "3", "uploadId": "a/b+c"},
        {
            "content-length": "5",
            "x-amz-checksum-sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
        },
    ),
}
keys = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40
).filter(lambda key: not key.startswith("/"))


@given(
    kind=st.sampled_from(sorted(LINKS)),
    key=keys,
    region=st.sampled_from(REGIONS),
    bucket=st.sampled_from(["media", "a.b"]),
    endpoint=st.sampled_from(["", ENDPOINT]),
    token=st.sampled_from(["", "session/token+="]),
    seconds=st.integers(1, 604_800),
)
def test_a_link_is_the_one_that_botocore_signs(
    kind: str,
    key: str,
    region: str,
    bucket: str,
    endpoint: str,
    token: str,
    seconds: int,
):
    operation, theirs, method, parameters, headers = LINKS[kind]

    ours = Bucket(bucket, environ=environment(region, endpoint, token)).link(
        key, seconds, method=method, parameters=parameters, headers=headers
    )

    query = dict(parse_qsl(urlsplit(ours).query, strict_parsing=True))
    at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=at):
        link = client(region, endpoint, token).generate_presigned_url(
            operation, {"Bucket": bucket, "Key": key, **theirs}, seconds
        )
    assert ours.partition("?")[0] == link.partition("?")[0]
    # botocore does not sort the query.
    assert sorted(ours.partition("?")[2].split("&")) == sorted(
        link.partition("?")[2].split("&")
    )


def test_the_region_of_the_bucket_precedes_that_of_the_function():
    bucket = Bucket("media", "us-west-2", environment("eu-central-1"))

    link = bucket.link("a", 60)

    assert link.startswith("https://media.s3.us-west-2.amazonaws.com/a?")
    assert "%2Fus-west-2%2Fs3%2F" in link


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Response]]:
    """Return the list of what S3 answers; each call removes the first."""
    pending: list[Response] = []
    monkeypatch.setattr(s3, "send", lambda *a, **k: pending.pop(0))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    yield pending
    assert not pending


def error(status: int, code: str) -> Response:
    body = (
        f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>M</Message></Error>"
    )
    return Response(status, {}, body.encode())


OK = Response(200, {}, b"")
BUCKET = Bucket("media", environ=environment("eu-central-1"))


@pytest.mark.parametrize(
    "failure",
    [
        error(503, "SlowDown"),
        error(503, "ServiceUnavailable"),
        error(500, "InternalError"),
        # CompleteMultipartUpload sends the status first.
        error(200, "InternalError"),
        error(400, "RequestTimeout"),
        Response(502, {}, b""),
    ],
)
def test_a_passing_failure_is_retried(answers: list[Response], failure: Response):
    answers += [failure, failure, OK]

    BUCKET.delete("a")


def test_retries_end_with_the_reason(answers: list[Response]):
    answers += [error(503, "SlowDown")] * service.MAX_ATTEMPTS

    with pytest.raises(AwsError, match=r"throttled .* SlowDown \(attempts: 3\)"):
        BUCKET.delete("a")


@pytest.mark.parametrize("status", [200, 403])
def test_a_refusal_has_the_code_of_s3(answers: list[Response], status: int):
    answers.append(error(status, "InvalidPart"))

    with pytest.raises(AwsError, match="S3 returned InvalidPart") as refusal:
        BUCKET.call("POST", "a")

    assert (refusal.value.code, refusal.value.detail) == ("InvalidPart", "M")


def test_a_missing_object_has_no_headers(answers: list[Response]):
    answers.append(Response(404, {}, b""))

    assert BUCKET.head("a") is None


def test_a_refused_head_is_not_a_missing_object(answers: list[Response]):
    answers.append(Response(403, {}, b""))

    with pytest.raises(AwsError, match="S3 returned AccessDenied"):
        BUCKET.head("a")


@pytest.mark.parametrize("replace", [True, False])
def test_an_object_has_a_checksum_and_may_be_new(
    monkeypatch: pytest.MonkeyPatch, replace: bool
):
    with HttpStub(lambda request: (200, "")) as stub:
        environ = environment("eu-central-1", stub.url)
        Bucket("media", environ=environ).put(
            "a", b"abc", {"x-own": "b"}, replace=replace
        )
        [request] = stub.requests

    assert (request.method, request.path, request.body) == ("PUT", "/media/a", b"abc")
    # S3 rejects an object under a retention rule without it.
    checksum = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    assert request.headers["x-amz-checksum-sha256"] == checksum
    assert request.headers.get("if-none-match") == (None if replace else "*")
    signed = request.headers["authorization"]
    assert "x-own" in signed
    assert ("if-none-match" in signed) is not replace


def test_a_profile_of_the_developer_has_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    file = tmp_path / "credentials"
    file.write_text(
        "[shop]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = s\n"
    )
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "shop")
    s3._sdk_credentials.cache_clear()

    link = Bucket("media", environ={"AWS_REGION": "eu-central-1"}).link("a", 60)

    s3._sdk_credentials.cache_clear()
    assert "Credential=AKIAPROFILE%2F" in link


def test_a_bucket_in_another_region_is_reported(answers: list[Response]):
    answers.append(Response(301, {"x-amz-bucket-region": "us-west-2"}, b""))

    with pytest.raises(
        AwsError, match=r"the bucket media is in us-west-2, .* for eu-central-1: set"
    ):
        BUCKET.head("a")
