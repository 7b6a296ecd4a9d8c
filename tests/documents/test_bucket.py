"""The document inbox with an S3 bucket, as on Lambda."""

from collections.abc import Iterator
from urllib.request import urlopen

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.documents.models import Document
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
