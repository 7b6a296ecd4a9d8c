"""Signed requests, judged by a server that checks signatures and checksums."""

import ssl
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from urllib.error import HTTPError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

import boto3
import pytest

from apps.aws_lambda.aws import http, multipart
from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.aws.s3 import Bucket
from apps.aws_lambda.cli.bucket import command
from tests.cli.bucket import buckets
from tests.services.ministack import ACCOUNT, REGION, MiniStack

KEY = "a b/ä+%&'.bin"
BODY = b"x" * 100
PARTS = [b"a" * 5 * 1024 * 1024, b"b" * 7]


@pytest.fixture(scope="module")
def aws() -> Iterator[MiniStack]:
    aws = MiniStack({"AUTH": "true"})
    aws.start()
    aws.client("s3").create_bucket(
        Bucket="media", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    yield aws
    aws.stop()


@pytest.fixture
def bucket(aws: MiniStack, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    monkeypatch.setattr(http, "_tls_context", aws.tls)
    # Where root calls, the account is the access key and no role is looked up.
    return Bucket(
        "media",
        environ={
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "testing",
        },
    )


def digest(body: bytes) -> str:
    return b64encode(sha256(body).digest()).decode()


def send(
    tls: ssl.SSLContext, method: str, url: str, body: bytes, headers: dict[str, str]
) -> int:
    """Return the status of a request as a browser sends it, which sets the length."""
    sent = {n: v for n, v in headers.items() if n != "content-length"}
    request = Request(url, body or None, sent, method=method)
    if body:
        request.add_unredirected_header(
            "Content-Type", sent.get("content-type", "application/octet-stream")
        )
    try:
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=tls))
        with opener.open(request) as response:
            return int(response.status)
    except HTTPError as error:
        return int(error.code)


def test_requests_are_accepted_as_they_are_signed(bucket: Bucket):
    bucket.put(KEY, BODY, {"content-type": "text/plain"}, replace=False)

    with pytest.raises(AwsError) as refusal:
        bucket.put(KEY, b"other", {}, replace=False)

    assert refusal.value.code == "PreconditionFailed"
    found = bucket.head(KEY, checksums=True) or {}
    assert found["content-length"] == "100"
    assert found["x-amz-checksum-sha256"] == digest(BODY)
    bucket.delete(KEY)
    assert bucket.head(KEY) is None


def test_a_link_is_for_one_object_and_one_kind_of_request(
    aws: MiniStack, bucket: Bucket
):
    bucket.put(KEY, BODY, {}, replace=True)
    link = bucket.link(KEY, 60, parameters={"response-content-type": "text/plain"})

    assert send(aws.tls(), "GET", link, b"", {}) == 200
    for changed in (
        link.replace("a%20b", "a%20c"),
        link.replace("text%2Fplain", "text%2Fhtml"),
        link.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
    ):
        assert changed != link
        assert send(aws.tls(), "GET", changed, b"", {}) == 403
    assert send(aws.tls(), "DELETE", link, b"", {}) == 403


def test_a_signed_upload_takes_exactly_one_body_once(aws: MiniStack, bucket: Bucket):
    headers = {
        "content-length": "100",
        "content-type": "image/png",
        "content-disposition": "attachment",
        "if-none-match": "*",
        "x-amz-checksum-sha256": digest(BODY),
    }
    link = bucket.link("one", 60, method="PUT", headers=headers)

    def put(body: bytes, **changed: str) -> int:
        names = {name.replace("_", "-"): value for name, value in changed.items()}
        return send(aws.tls(), "PUT", link, body, headers | names)

    assert put(b"y" * 100) == 400
    assert put(BODY + b"x") == 403
    assert put(BODY, content_type="text/html") == 403
    assert put(BODY, content_disposition="inline") == 403
    assert put(BODY, if_none_match="other") == 403
    assert put(BODY, x_amz_checksum_sha256=digest(b"y" * 100)) == 403
    assert bucket.head("one") is None
    assert put(BODY) == 200
    assert put(BODY) == 412


def test_parts_are_listed_completed_and_gone(aws: MiniStack, bucket: Bucket):
    upload = multipart.create(bucket, "big", {"content-type": "image/png"})
    for number, part in enumerate(PARTS, 1):
        headers = {
            "content-length": str(len(part)),
            "x-amz-checksum-sha256": digest(part),
        }
        link = bucket.link(
            "big",
            60,
            method="PUT",
            parameters={"partNumber": str(number), "uploadId": upload},
            headers=headers,
        )
        assert send(aws.tls(), "PUT", link, part[:-1] + b"z", headers) == 400
        assert send(aws.tls(), "PUT", link, part, headers) == 200

    listed = multipart.parts(bucket, "big", upload)
    assert [(part.number, part.size) for part in listed] == [(1, 5 * 2**20), (2, 7)]
    assert [part.sha256 for part in listed] == [digest(part) for part in PARTS]
    with pytest.raises(AwsError):
        multipart.complete(bucket, "big", upload, listed, 1)
    multipart.complete(bucket, "big", upload, listed, sum(map(len, PARTS)))

    found = bucket.head("big", checksums=True) or {}
    assert found["content-type"] == "image/png"
    assert found["x-amz-checksum-sha256"] == multipart.checksum(listed)
    for call in (multipart.parts, multipart.abort):
        with pytest.raises(AwsError) as refusal:
            call(bucket, "big", upload)
        assert refusal.value.code == "NoSuchUpload"


# AWS refuses them.
ACCEPTED = {
    "a header that is not signed",
    "stored of what is refused",
    "a small part before the last",
}


def test_the_command_finds_what_this_server_accepts_and_aws_does_not(
    aws: MiniStack,
    bucket: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    client = aws.client("s3")
    buckets.create_bucket(client, "tried")
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, aws.environment()[name])
    # It would keep the credentials of an earlier test.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(aws.certificate))
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setattr(command, "interrupt_on_signals", lambda: None)
    where = ["--bucket", "tried", "--region", REGION, "--origin", buckets.ORIGIN]

    assert command.main(where) == 1

    output = capsys.readouterr().out
    lines = output.splitlines()
    assert {each[8:38].strip() for each in lines if each[:8] == "problem "} == ACCEPTED
    assert not [each for each in lines if each.startswith("unknown")]
    assert len([each for each in lines if each.startswith("ok ")]) == 43
    refused = "ok      an altered signature          expected 403, found 403 Signature"
    assert f"{refused}DoesNotMatch\n" in output
    assert "Signature=" not in output
    assert buckets.everything_in(client, "tried") == []
