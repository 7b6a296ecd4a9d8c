"""The document inbox with an S3 bucket, as on Lambda."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.documents import tasks
from apps.documents.models import Document
from tests.documents.conftest import PNG
from tests.services.aws import AWS

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def aws() -> Iterator[AWS]:
    with AWS() as aws:
        aws.client("s3").create_bucket(
            Bucket="media",
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        yield aws


@pytest.fixture(autouse=True)
def _in_the_bucket(aws: AWS, monkeypatch, settings):
    for name, value in aws.environment().items():
        monkeypatch.setenv(name, value)
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "apps.aws_lambda.media.S3Storage",
            "OPTIONS": {"bucket_name": "media"},
        },
    }


def upload(client: Client, content: bytes) -> Document:
    response = client.post(
        reverse("admin:documents_document_add"),
        {"title": "Photo", "file": SimpleUploadedFile("photo.png", content)},
    )
    assert response.status_code == 302
    return Document.objects.first() or pytest.fail("the upload was not stored")


def test_an_upload_is_stored_in_the_bucket_and_has_a_signed_url(
    admin_client: Client, aws: AWS
):
    document = upload(admin_client, b"\x89PNG\r\n")

    assert "X-Amz-Signature" in document.file.url
    with urlopen(document.file.url) as response:
        assert response.read() == b"\x89PNG\r\n"


def test_uploads_of_the_same_name_are_both_stored(admin_client: Client):
    first, second = upload(admin_client, b"1"), upload(admin_client, b"2")

    assert first.file.name != second.file.name


@pytest.mark.nightly("a file of 256 MiB is stored in a bucket and read")
def test_a_file_above_the_memory_is_read_in_blocks(aws: AWS):
    mebibyte = bytes(2**20)
    digest = hashlib.sha256(PNG)
    client = aws.client("s3")
    upload = client.create_multipart_upload(Bucket="media", Key="large.png")
    names = {"Bucket": "media", "Key": "large.png", "UploadId": upload["UploadId"]}
    parts = []
    for number, begin in enumerate([PNG, b"", b"", b""], 1):
        body = begin + mebibyte * 64
        digest.update(mebibyte * 64)
        sent = client.upload_part(**names, PartNumber=number, Body=body)
        parts.append({"PartNumber": number, "ETag": sent["ETag"]})
    client.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    document = Document.objects.create(title="Large", file="large.png")
    del body

    tracemalloc.start()
    tasks.fingerprint.call(document.pk)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    document.refresh_from_db()
    assert document.checksum == digest.hexdigest()
    assert document.size == len(PNG) + 2**28
    assert (document.content_type, document.width) == ("image/png", 3)
    assert peak < 40 * 2**20
