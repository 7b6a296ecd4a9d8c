"""
The calls to S3 that uploads and links need, and links that need no call.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

import os
import re
import time
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

from . import identity, service
from .http import AwsError, Response, Unanswered, send
from .sigv4 import Credentials, Scope, encode, presigned_query, signed_headers

# A call with its retries: below the timeout of every gateway.
CALL_TIMEOUT_SECONDS = 25.0
# For each read of the response, and the whole of the writing.
RESPONSE_TIMEOUT_SECONDS = 20.0

# What a response without a body has instead of an error code.
CODES = {
    301: "PermanentRedirect",
    400: "BadRequest",
    403: "AccessDenied",
    404: "NotFound",
    412: "PreconditionFailed",
}
MISSING = {"NoSuchKey", "NotFound"}

# Parameters of the SDK, by which sites name them, and the headers that they are.
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
OBJECT_HEADERS = {
    "CacheControl": "cache-control",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentType": "content-type",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "StorageClass": "x-amz-storage-class",
    "Tagging": "x-amz-tagging",
}
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
LINK_PARAMETERS = {
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentEncoding": "response-content-encoding",
    "ResponseContentLanguage": "response-content-language",
    "ResponseContentType": "response-content-type",
    "ResponseExpires": "response-expires",
    "VersionId": "versionId",
}


def origin(environ: Mapping[str, str], bucket: str, region: str = "") -> str:
    """
    Return the origin of a bucket's signed links, for a Content-Security-Policy.

    It is regional: the global one redirects for a day after a bucket is made, which
    no upload from a page survives, and newer regions reject it. For a bucket with a
    dot in its name it is the origin of all buckets of the region, because the
    certificate of S3 is for one more label. With AWS_ENDPOINT_URL, and
    AWS_ENDPOINT_URL_S3, which takes precedence, it is that of the endpoint.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
    """
    if endpoint := _endpoint(environ):
        url = urlsplit(endpoint)
        return f"{url.scheme}://{url.netloc}"
    region = (
        region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION", "")
    )
    host = "s3.amazonaws.com"
    if region:
        host = urlsplit(service.endpoint({"AWS_REGION": region}, "s3")).netloc
    return f"https://{host}" if "." in bucket else f"https://{bucket}.{host}"


class SignedUpload(NamedTuple):
    """
    A PUT that authorises one body, and the headers that it must have.

    The length of the body is signed too: a browser sends it by itself, and lets no
    script do so.
    """

    url: str
    headers: dict[str, str]


class Bucket:
    """
    A bucket, by default in the function's region.

    Keys are text, and ``headers`` have lower-case names. What calls S3 raises
    AwsError, with the code of S3.
    """

    def __init__(
        self, name: str, region: str = "", environ: Mapping[str, str] = os.environ
    ) -> None:
        self.name = name
        self.given_region = region
        self._environ = environ

    @property
    def region(self) -> str:
        """Return the region. Raises AwsError if the environment has none."""
        return self.given_region or identity.region(self._environ)

    def link(
        self,
        key: str,
        seconds: int,
        *,
        method: str = "GET",
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """
        Return a URL that authorises one kind of request, for so many seconds.

        Not longer than the credentials are valid. No call is made.
        """
        url = self._url(key)
        query = presigned_query(
            self._credentials(),
            self.scope(),
            urlsplit(url).netloc,
            parameters or {},
            seconds,
            method=method,
            path=urlsplit(url).path,
            headers=headers,
        )
        return f"{url}?{query}"

    def signed_upload(
        self,
        key: str,
        seconds: int,
        size: int,
        sha256: str,
        headers: Mapping[str, str],
    ) -> SignedUpload:
        """
        Return the request that stores an object with these headers, and replaces none.

        ``sha256`` is the base64 of the digest. No call is made.
        """
        return self.signed_body(
            key, seconds, size, sha256, headers={**headers, "if-none-match": "*"}
        )

    def signed_body(
        self,
        key: str,
        seconds: int,
        size: int,
        sha256: str,
        *,
        headers: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> SignedUpload:
        """Return a PUT of exactly one body. No call is made."""
        sent = {**(headers or {}), "x-amz-checksum-sha256": sha256}
        url = self.link(
            key,
            seconds,
            method="PUT",
            parameters=parameters,
            headers={**sent, "content-length": str(size)},
        )
        return SignedUpload(url, sent)

    def head(self, key: str, *, checksums: bool = False) -> dict[str, str] | None:
        """
        Return the headers of an object, or None if there is no such object.

        ``checksums`` asks for those too.
        """
        headers = {"x-amz-checksum-mode": "ENABLED"} if checksums else {}
        try:
            return self.call("HEAD", key, headers=headers).headers
        except AwsError as error:
            if error.code in MISSING:
                return None
            raise

    def put(
        self, key: str, body: bytes, headers: Mapping[str, str], *, replace: bool
    ) -> None:
        """
        Store an object, with its checksum.

        Unless it may replace another object, the error has the code
        "PreconditionFailed" if there is one; after a lost response that may be this
        object itself.
        """
        digest = b64encode(sha256(body).digest()).decode()
        sent = {**headers, "x-amz-checksum-sha256": digest}
        if not replace:
            sent["if-none-match"] = "*"
        self.call("PUT", key, headers=sent, body=body)

    def delete(self, key: str) -> None:
        """Delete an object, if there is one."""
        self.call("DELETE", key)

    def call(
        self,
        method: str,
        key: str,
        *,
        parameters: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Response:
        """Return the response to a signed request, with retries."""
        signer = self._credentials()
        url, query = self._url(key), encode(parameters or {})
        address = urlsplit(url)
        unsigned = {**(headers or {}), "host": address.netloc}

        def attempt(seconds: float) -> Response:
            response = send(
                method,
                f"{url}?{query}" if query else url,
                signed_headers(
                    signer,
                    self.scope(),
                    unsigned,
                    body,
                    address.path,
                    method=method,
                    query=query,
                ),
                body,
                timeout=min(service.SOCKET_TIMEOUT_SECONDS, seconds),
                response_timeout=min(RESPONSE_TIMEOUT_SECONDS, seconds),
            )
            self._check(method, response)
            return response

        return service.retry(attempt, deadline=time.monotonic() + CALL_TIMEOUT_SECONDS)

    def scope(self) -> Scope:
        """Return what a signature is valid for, from now on."""
        return Scope(self.region, "s3", datetime.now(UTC))

    def _check(self, method: str, response: Response) -> None:
        """Raise AwsError unless the request has succeeded."""
        # CompleteMultipartUpload sends the status before it knows the result. The body
        # of a GET is an object, which may be anything.
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
        failed = method != "GET" and b"<Error>" in response.body
        if response.status < 300 and not failed:
            return
        code, detail = error_of(response)
        if code in service.THROTTLING_CODES:
            raise AwsError(f"S3 throttled the call with {code}", code, detail)
        if response.status >= 500 or code in ("InternalError", "RequestTimeout"):
            kind = Unanswered if response.status in (502, 504) else AwsError
            raise kind(f"S3 returned status {response.status}", "", detail)
        found = response.headers.get("x-amz-bucket-region", self.region)
        if found != self.region:
            raise AwsError(
                f"the bucket {self.name} is in {found}, and the request was signed "
                f"for {self.region}: set the region of the storage",
                code,
                detail,
            )
        raise AwsError(
            f"S3 returned {code or f'status {response.status}'}", code, detail
        )

    def _url(self, key: str) -> str:
        path = quote(key, safe="/-_.~")
        if endpoint := _endpoint(self._environ):
            return f"{endpoint.rstrip('/')}/{self.name}/{path}"
        host = origin(self._environ, self.name, self.region)
        return f"{host}/{self.name}/{path}" if "." in self.name else f"{host}/{path}"

    def _credentials(self) -> Credentials:
        try:
            return identity.credentials(self._environ)
        except AwsError:
            # On a developer's machine: a profile, or what else the SDK finds.
            if (found := _sdk_credentials()) is None:
                raise
            keys = found.get_frozen_credentials()
            return Credentials(keys.access_key, keys.secret_key, keys.token or "")


def error_of(response: Response) -> tuple[str, str]:
    """Return the code and the message of a response that is an error."""
    code, detail = (
        match.group(1).decode(errors="replace") if match else ""
        for match in (
            re.search(rb"<%s>([^<]*)</" % name, response.body)
            for name in (b"Code", b"Message")
        )
    )
    return code or CODES.get(response.status, ""), detail


def _endpoint(environ: Mapping[str, str]) -> str:
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    return next((environ[name] for name in names if environ.get(name)), "")


@cache
def _sdk_credentials() -> Any:
    try:
        from botocore.session import Session
    except ImportError:
        return None
    return Session().get_credentials()
