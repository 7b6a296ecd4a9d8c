"""The bucket that is tried, and the objects that the command makes in it."""

import secrets
from base64 import b64encode
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import boto3

from ...aws import http
from ...aws.http import Response
from ...aws.s3 import Bucket, SignedUpload
from ...aws.sigv4 import Scope
from ...commands.remote.region import Region
from ...commands.remote.responses import check_responses
from ...downloads import FOLDER
from ..release.errors import errors_of_aws
from ..report import DeployError

# Of signed requests, as those of pages.
LINK_SECONDS = 600
# For the connection, and for each read of the response: a part has 5 MiB.
TIMEOUT_SECONDS = 10.0
RESPONSE_TIMEOUT_SECONDS = 120.0


class Expired(Bucket):
    """A bucket whose links have expired when they are signed."""

    def scope(self) -> Scope:
        scope = super().scope()
        # More than a link is valid, and than clocks differ.
        return scope._replace(time=scope.time - timedelta(hours=1))


class Target:
    """
    A bucket, and the origin of the pages that send files to it.

    All keys are below ``prefix``, which no other run has. The bucket's lifecycle rule
    for answers of the site deletes what is there after a day, if the command cannot.
    """

    def __init__(self, name: str, region: Region, origin: str) -> None:
        self.bucket = Bucket(name, region.name)
        self.expired = Expired(name, region.name)
        self.region = region
        self.origin = origin
        self.prefix = f"{FOLDER}/try-{secrets.token_hex(8)}/"

    @cached_property
    def client(self) -> Any:
        """Return boto3's client for the bucket's region."""
        return check_responses(boto3.client("s3", region_name=self.region.name))

    def key(self, name: str) -> str:
        """Return a key that this run may use."""
        return self.prefix + name

    def check(self) -> None:
        """
        Raise DeployError if the bucket cannot be tried, before anything is stored.

        Without the permission to list versions, nothing could be deleted afterwards.
        """
        self.left()
        answer = self.call("head_bucket")
        found = answer.get("BucketRegion") or self.region.name
        if found != self.region.name:
            raise DeployError(
                f"The bucket {self.bucket.name} is in {found}, and the region is "
                f"another one: {self.region.origin()}",
                first=f"give --region {found}",
            )

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """
        Return the response to a request as a page sends it, without redirects.

        Raises AwsError if there is no response.
        """
        return http.send(
            method,
            url,
            {"origin": self.origin, **(headers or {})},
            body,
            timeout=TIMEOUT_SECONDS,
            response_timeout=RESPONSE_TIMEOUT_SECONDS,
        )

    def put(self, signed: SignedUpload, body: bytes, **changed: str | None) -> Response:
        """
        Return the response to a signed upload.

        ``changed`` are headers instead of the signed ones, with "_" for "-"; None
        leaves one out.
        """
        names = {name.replace("_", "-"): value for name, value in changed.items()}
        headers = {**signed.headers, **names}
        sent = {name: value for name, value in headers.items() if value is not None}
        return self.send("PUT", signed.url, sent, body)

    def call(self, operation: str, **parameters: Any) -> Any:
        """Return the answer of boto3 for the bucket. Raises DeployError."""
        with errors_of_aws(f"s3 {operation} of {self.bucket.name}"):
            ask = getattr(self.client, operation)
            return ask(Bucket=self.bucket.name, **parameters)

    def stored(self, prefix: str) -> list[str]:
        """Return the keys of this run that begin with a prefix."""
        found = self.call("list_objects_v2", Prefix=self.key(prefix))
        return [str(each["Key"]) for each in found.get("Contents", ())]

    def left(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return keys with their versions, and keys with the IDs of their uploads."""
        found = self.call("list_object_versions", Prefix=self.prefix)
        kinds = ("Versions", "DeleteMarkers")
        versions = [each for kind in kinds for each in found.get(kind, ())]
        uploads = self.call("list_multipart_uploads", Prefix=self.prefix)
        return (
            [(each["Key"], each["VersionId"]) for each in versions],
            [(each["Key"], each["UploadId"]) for each in uploads.get("Uploads", ())],
        )

    def clean(self) -> None:
        """Delete what this run has made, all versions of it. Raises DeployError."""
        versions, uploads = self.left()
        for key, upload in uploads:
            self.call("abort_multipart_upload", Key=key, UploadId=upload)
        for key, version in versions:
            self.call("delete_object", Key=key, VersionId=version)


def digest(body: bytes) -> str:
    """Return the SHA-256 as S3 has it, in base64."""
    return b64encode(sha256(body).digest()).decode()


def origin_of(url: str) -> str:
    """Return the origin of a URL, "" if it has none."""
    parts = urlsplit(url)
    web = parts.scheme in ("http", "https") and parts.netloc
    return f"{parts.scheme}://{parts.netloc}" if web else ""
