"""
Objects that are uploaded to S3 in parts, each with its checksum.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from .s3 import Bucket, SignedUpload

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

# A page with a file input imports this module. Only an upload in parts has XML.


class Part(NamedTuple):
    """A part that S3 has. ``sha256`` is base64, or empty if S3 does not return it."""

    number: int
    size: int
    etag: str
    sha256: str


class PartOf(NamedTuple):
    """Which part of which upload: parts are counted from 1."""

    key: str
    upload_id: str
    number: int


def create(bucket: Bucket, key: str, headers: Mapping[str, str]) -> str:
    """Begin an upload with the headers of the object, and return its ID."""
    algorithm = {"x-amz-checksum-algorithm": "SHA256"}
    response = bucket.call(
        "POST", key, parameters={"uploads": ""}, headers={**headers, **algorithm}
    )
    return _text(_parse(response.body), "UploadId")


def signed_part(
    bucket: Bucket, part: PartOf, seconds: int, size: int, sha256: str
) -> SignedUpload:
    """Return the request that stores a part. ``sha256`` is the base64 of its digest."""
    parameters = {"partNumber": str(part.number), "uploadId": part.upload_id}
    return bucket.signed_body(part.key, seconds, size, sha256, parameters=parameters)


def parts(bucket: Bucket, key: str, upload_id: str) -> list[Part]:
    """Return the parts by number; an AwsError "NoSuchUpload" if there is no upload."""
    found: list[Part] = []
    parameters = {"uploadId": upload_id}
    while True:
        page = _parse(bucket.call("GET", key, parameters=parameters).body)
        found += [
            Part(
                int(_text(part, "PartNumber")),
                int(_text(part, "Size")),
                _text(part, "ETag"),
                _text(part, "ChecksumSHA256"),
            )
            for part in page.iterfind("{*}Part")
        ]
        if _text(page, "IsTruncated") != "true":
            return sorted(found)
        parameters["part-number-marker"] = _text(page, "NextPartNumberMarker")


def complete(
    bucket: Bucket, key: str, upload_id: str, sent: Iterable[Part], size: int
) -> None:
    """
    Make an object of the parts, which must have this size together.

    Raises AwsError "PreconditionFailed" if there is an object with this key. S3 may
    take minutes, so the object may be there after an Unanswered error.
    """
    from xml.etree import ElementTree

    root = ElementTree.Element("CompleteMultipartUpload")
    for part in sent:
        element = ElementTree.SubElement(root, "Part")
        values = {
            "PartNumber": str(part.number),
            "ETag": part.etag,
            "ChecksumSHA256": part.sha256,
        }
        for name, value in values.items():
            if value:
                ElementTree.SubElement(element, name).text = value
    bucket.call(
        "POST",
        key,
        parameters={"uploadId": upload_id},
        headers={"if-none-match": "*", "x-amz-mp-object-size": str(size)},
        body=ElementTree.tostring(root),
    )


def abort(bucket: Bucket, key: str, upload_id: str) -> None:
    """End an upload, and delete its parts. AwsError "NoSuchUpload" if it has ended."""
    bucket.call("DELETE", key, parameters={"uploadId": upload_id})


def checksum(sent: Iterable[Part]) -> str:
    """
    Return the checksum that the object of these parts has.

    It is that of the checksums of its parts, with their number.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
    """
    digests = [b64decode(part.sha256) for part in sent]
    total = sha256(b"".join(digests)).digest()
    return f"{b64encode(total).decode()}-{len(digests)}"


def _parse(body: bytes) -> "Element":
    from xml.etree import ElementTree

    return ElementTree.fromstring(body)  # noqa: S314 - what S3 wrote


def _text(element: "Element", name: str) -> str:
    return element.findtext(f"{{*}}{name}") or ""
