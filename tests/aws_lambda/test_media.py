"""Uploaded files in a bucket, without an SDK."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st
from storages.utils import clean_name, safe_join

from apps.aws_lambda import media
from apps.aws_lambda.aws import s3_file
from apps.aws_lambda.aws.http import AwsError
from apps.aws_lambda.media import S3Storage
from tests.services.aws import AWS


@pytest.fixture(scope="module")
def server() -> Iterator[AWS]:
    with AWS() as aws:
        aws.client("s3").create_bucket(
            Bucket="media",
            CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        )
        yield aws


@pytest.fixture
def aws(server: AWS, monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    yield server
    client = server.client("s3")
    for found in client.list_objects_v2(Bucket="media").get("Contents", ()):
        client.delete_object(Bucket="media", Key=found["Key"])


def head(aws: AWS, key: str) -> dict[str, Any]:
    answer: dict[str, Any] = aws.client("s3").head_object(Bucket="media", Key=key)
    return answer


def test_a_file_is_stored_and_its_link_opens(aws: AWS):
    storage = S3Storage("media")

    name = storage.save("a b/ä+%.txt", ContentFile("hä"))

    assert name == "a b/ä+%.txt"
    assert storage.exists(name)
    assert storage.size(name) == 3
    with urlopen(storage.url(name)) as response:
        assert response.read().decode() == "hä"
        assert response.headers["Content-Type"] == "text/plain"


@pytest.mark.parametrize("name", ["", ".", "a/.."])
def test_a_file_without_a_name_does_not_delete_the_bucket(aws: AWS, name: str):
    with pytest.raises(ValueError, match="must be given"):
        S3Storage("media").delete(name)

    buckets = aws.client("s3").list_buckets()["Buckets"]
    assert "media" in [bucket["Name"] for bucket in buckets]


def test_a_stored_file_is_deleted(aws: AWS):
    storage = S3Storage("media")
    name = storage.save("a.txt", ContentFile("a"))

    storage.delete(name)
    storage.delete(name)

    assert not storage.exists(name)
    with pytest.raises(FileNotFoundError, match=r"no file a\.txt in media"):
        storage.size(name)


def test_the_time_of_a_file_is_aware_if_djangos_are(aws: AWS, settings):
    storage = S3Storage("media")
    storage.save("a.txt", ContentFile("a"))
    modified = storage.get_modified_time("a.txt")

    assert modified.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - modified) < timedelta(hours=1)
    settings.USE_TZ = False
    assert storage.get_modified_time("a.txt").tzinfo is None


def test_a_file_never_replaces_another_one(aws: AWS):
    storage = S3Storage("media")

    first, second = (storage.save("a.txt", ContentFile(c)) for c in "12")

    assert first != second
    with urlopen(storage.url(first)) as response:
        assert response.read() == b"1"


def test_files_that_are_stored_at_once_get_two_names(aws: AWS, monkeypatch):
    storage = S3Storage("media")
    original = S3Storage.is_name_available

    def another_is_faster(self: S3Storage, name: str, max_length: int | None) -> bool:
        available = original(self, name, max_length)
        if name == "a.txt" and available:
            aws.client("s3").put_object(Bucket="media", Key=name, Body=b"other")
        return available

    monkeypatch.setattr(S3Storage, "is_name_available", another_is_faster)

    name = storage.save("a.txt", ContentFile("ours"), max_length=13)

    assert name != "a.txt"
    assert len(name) <= 13
    with urlopen(storage.url("a.txt")) as response:
        assert response.read() == b"other"
    with urlopen(storage.url(name)) as response:
        assert response.read() == b"ours"


def test_a_storage_may_overwrite(aws: AWS):
    storage = S3Storage("media", file_overwrite=True)

    names = [storage.save("a.txt", ContentFile(c)) for c in "12"]

    assert names == ["a.txt", "a.txt"]
    with urlopen(storage.url("a.txt")) as response:
        assert response.read() == b"2"
    assert len(storage.get_available_name("abcdefghijk.txt", max_length=13)) == 13


def test_a_location_is_a_prefix_of_keys(aws: AWS):
    storage = S3Storage("media", location="shop/")

    assert storage.save("a.txt", ContentFile("a")) == "a.txt"
    assert head(aws, "shop/a.txt")
    assert storage.listdir("") == ([], ["a.txt"])


def test_files_are_written_and_listed_by_django_storages(aws: AWS):
    storage = S3Storage("media")
    with storage.open("a/b.txt", "wb") as file:
        file.write(b"content")

    assert storage.listdir("a") == ([], ["b.txt"])
    with storage.open("a/b.txt", "r") as text:
        assert text.read() == "content"


def test_a_file_is_opened_without_the_sdk(aws: AWS):
    storage = S3Storage("media")
    storage.save("a/b.txt", ContentFile("one\n<Error>two</Error>"))

    with storage.open("a/b.txt") as file:
        assert (file.name, file.size) == ("a/b.txt", 22)
        assert [*file] == [b"one\n", b"<Error>two</Error>"]
        assert file.seek(-4, 2) == 18
        assert (file.read(), file.read()) == (b"ror>", b"")
        with pytest.raises(ValueError, match="negative seek"):
            file.seek(-1)
    assert "sdk" not in vars(storage)
    with pytest.raises(FileNotFoundError, match=r"no file c\.txt in media"):
        storage.open("c.txt")


def test_a_file_is_opened_again(aws: AWS):
    storage = S3Storage("media")
    storage.save("a.txt", ContentFile("a"))
    file = storage.open("a.txt")

    for _ in range(2):
        with file.open("rb") as again:
            assert again.read() == b"a"
    with pytest.raises(ValueError, match=r"cannot be opened again with the mode 'w'"):
        file.open("w")


def test_an_empty_file_is_opened(aws: AWS):
    storage = S3Storage("media")
    storage.save("a.txt", ContentFile(""))

    with storage.open("a.txt") as file:
        assert file.read() == b""


def test_a_file_that_is_replaced_is_not_read_on(aws: AWS, monkeypatch):
    monkeypatch.setattr(s3_file, "BLOCK_BYTES", 4)
    storage = S3Storage("media", file_overwrite=True)
    storage.save("a.txt", ContentFile("12345678"))

    with storage.open("a.txt") as file:
        assert file.read(4) == b"1234"
        storage.save("a.txt", ContentFile("abcdefgh"))
        with pytest.raises(AwsError, match="PreconditionFailed"):
            file.read(4)


def test_a_file_is_read_block_by_block(aws: AWS, monkeypatch):
    monkeypatch.setattr(s3_file, "BLOCK_BYTES", 2**18)
    content = os.urandom(2**20 + 1)
    storage = S3Storage("media")
    storage.save("large.bin", ContentFile(content))
    call, lengths = storage.bucket.call, []

    def counted(method: str, *arguments: Any, **options: Any) -> Any:
        answer = call(method, *arguments, **options)
        lengths.append((method, len(answer.body)))
        return answer

    monkeypatch.setattr(storage.bucket, "call", counted)
    with storage.open("large.bin") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()

    assert digest == sha256(content).hexdigest()
    assert [length for method, length in lengths if method == "GET"] == [2**18] * 4 + [
        1
    ]


def test_a_large_file_is_stored_in_parts(aws: AWS, monkeypatch):
    monkeypatch.setattr(media, "MAX_PUT_BYTES", 5)
    storage = S3Storage("media", object_parameters={"CacheControl": "no-store"})

    name = storage.save("large.txt", ContentFile(b"123456"))

    assert storage.size(name) == 6
    assert head(aws, name)["CacheControl"] == "no-store"
    assert "sdk" in vars(storage)


def test_a_stream_is_stored(aws: AWS):
    class Stream(BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *position: int) -> int:
            raise OSError("a stream cannot seek")

        def tell(self) -> int:
            raise OSError("a stream cannot tell")

    storage = S3Storage("media")

    name = storage.save("stream.bin", File(Stream(b"abc")))

    assert storage.size(name) == 3


@pytest.mark.parametrize(
    ("name", "content_type", "stored"),
    [
        ("a.png", "", "image/png"),
        ("a.png", "image/x-own", "image/x-own"),
        ("a.tar.gz", "", "application/gzip"),
        ("a.unknown-type", "", "application/octet-stream"),
    ],
)
def test_the_type_is_that_of_the_upload_or_of_the_name(
    aws: AWS, name: str, content_type: str, stored: str
):
    content: File = ContentFile(b"a")
    if content_type:
        content = SimpleUploadedFile(name, b"a", content_type)
    S3Storage("media").save(name, content)

    found = head(aws, name)

    assert found["ContentType"] == stored
    # With it, a browser would save the unpacked file under the packed one's name.
    assert "ContentEncoding" not in found


def test_object_parameters_are_stored(aws: AWS):
    parameters = {"ContentDisposition": "attachment", "ContentType": "text/x-own"}
    storage = S3Storage("media", object_parameters=parameters)

    found = head(aws, storage.save("a.txt", ContentFile("a")))

    assert found["ContentDisposition"] == "attachment"
    assert found["ContentType"] == "text/x-own"


def test_a_link_names_the_file_that_a_browser_saves(aws: AWS):
    storage = S3Storage("media", querystring_expire=60)
    storage.save("x.txt", ContentFile("a"))

    link = storage.url("x.txt", filename='Bericht für "A".txt')

    query = parse_qs(urlsplit(link).query)
    assert query["X-Amz-Expires"] == ["60"]
    [disposition] = query["response-content-disposition"]
    assert disposition.startswith("attachment; filename*=utf-8''Bericht%20f%C3%BCr")


def test_a_link_takes_what_django_storages_takes(aws: AWS):
    storage = S3Storage("media")

    link = storage.url(
        "x.txt", {"ResponseContentType": "text/html"}, 99_999_999, "HEAD"
    )

    query = parse_qs(urlsplit(link).query)
    assert query["response-content-type"] == ["text/html"]
    # The longest that S3 accepts.
    assert query["X-Amz-Expires"] == ["604800"]
    with pytest.raises(ValueError, match="cannot have Bucket: use some of Response"):
        storage.url("x.txt", {"Bucket": "other"})


def test_unknown_options_are_refused():
    with pytest.raises(ImproperlyConfigured, match=r"object_parameters .* has ACL"):
        S3Storage("media", object_parameters={"ACL": "public-read"})
    with pytest.raises(ImproperlyConfigured, match="location of a storage is '/a'"):
        S3Storage("media", location="/a")


@pytest.mark.parametrize("name", ["../a", "a/../../b", "/a", "a\\..\\..\\b"])
def test_a_name_outside_the_location_is_refused(name: str):
    with pytest.raises(SuspiciousFileOperation, match="outside of the storage's"):
        S3Storage("media", location="shop").key(name)


@given(
    st.lists(st.sampled_from(["a", "b c", ".", "..", "", "ä.txt"])).map("/".join),
    st.sampled_from(["", "shop", "a/b"]),
)
def test_keys_are_those_of_django_storages(name: str, location: str):
    try:
        theirs = safe_join(location, clean_name(name))
    except ValueError:
        theirs = None
    try:
        ours = S3Storage("media", location=location).key(name)
    except SuspiciousFileOperation:
        ours = None

    # A folder is never opened by its key.
    assert (ours and ours.rstrip("/")) == (theirs and theirs.rstrip("/"))


def test_a_refusal_of_s3_is_not_a_missing_file(aws: AWS):
    with pytest.raises(AwsError, match="S3 returned"):
        S3Storage("a-bucket-that-is-not-there").save("a", ContentFile("a"))


def test_links_load_no_sdk():
    code = (
        "import sys, django; django.setup()\n"
        "from apps.aws_lambda.media import S3Storage\n"
        "print(S3Storage('media').url('a.txt'))\n"
        "print(sorted({'boto3', 'botocore', 'storages'} & sys.modules.keys()))"
    )

    process = subprocess.run(
        [sys.executable, "-c", code],
        env={
            "DJANGO_SETTINGS_MODULE": "project.settings",
            "ENV_FILE": "/nonexistent",
            "AWS_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "AKIA",
            "AWS_SECRET_ACCESS_KEY": "secret",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    link, loaded = process.stdout.split()[:2]
    assert link.startswith("https://media.s3.eu-central-1.amazonaws.com/a.txt?X-Amz-")
    assert loaded == "[]"
