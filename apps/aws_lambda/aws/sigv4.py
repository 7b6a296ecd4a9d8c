"""
Sign requests to AWS with Signature Version 4, using only the standard library.

The tests compare the signatures with those of botocore.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

ALGORITHM = "AWS4-HMAC-SHA256"
# The client, and not the signer of the link, has the body.
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256().hexdigest()


class Credentials(NamedTuple):
    """AWS credentials. Temporary ones, such as a role's, have a session token."""

    access_key: str
    secret_key: str
    token: str

    def __repr__(self) -> str:
        # It may be in tracebacks and logs.
        return "Credentials(...)"


class Scope(NamedTuple):
    """What a signature is valid for: one service in one region, from this time on."""

    region: str
    service: str
    time: datetime  # in UTC

    @property
    def timestamp(self) -> str:
        return self.time.strftime("%Y%m%dT%H%M%SZ")

    @property
    def path(self) -> str:
        return f"{self.timestamp[:8]}/{self.region}/{self.service}/aws4_request"


def signed_headers(
    credentials: Credentials,
    scope: Scope,
    headers: Mapping[str, str],
    body: bytes,
    path: str = "/",
    *,
    method: str = "POST",
    query: str = "",
) -> dict[str, str]:
    """
    Return the headers of a signed request.

    ``headers`` have lower-case names and include the host. ``path`` is encoded as it
    is sent, for a service other than S3 without empty or relative parts. ``query`` is
    that of ``encode``.
    """
    digest = hashlib.sha256(body).hexdigest()
    headers = {**headers, "x-amz-date": scope.timestamp}
    if scope.service == "s3":
        headers["x-amz-content-sha256"] = digest
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    signature = _sign(credentials, scope, method, path, query, headers, digest)
    return {
        **headers,
        "authorization": f"{ALGORITHM} "
        f"Credential={credentials.access_key}/{scope.path}, "
        f"SignedHeaders={';'.join(sorted(headers))}, Signature={signature}",
    }


def presigned_query(
    credentials: Credentials,
    scope: Scope,
    host: str,
    parameters: Mapping[str, str],
    seconds: int,
    *,
    method: str = "GET",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
) -> str:
    """
    Return a query that authorises one request to the host for so many seconds.

    The client must send exactly these ``headers``, which have lower-case names. A
    body is signed for S3 only by a header that has its checksum.
    """
    headers = {**(headers or {}), "host": host}
    parameters = {
        **parameters,
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope.path}",
        "X-Amz-Date": scope.timestamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": ";".join(sorted(headers)),
    }
    if credentials.token:
        parameters["X-Amz-Security-Token"] = credentials.token
    query = encode(parameters)
    payload = UNSIGNED_PAYLOAD if scope.service == "s3" else EMPTY_SHA256
    signature = _sign(credentials, scope, method, path, query, headers, payload)
    return f"{query}&X-Amz-Signature={signature}"


def encode(parameters: Mapping[str, str]) -> str:
    """Return parameters as a query, in the order of signatures."""
    return urlencode(sorted(parameters.items()), quote_via=quote, safe="-_.~")


def _sign(
    credentials: Credentials,
    scope: Scope,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    payload: str,
) -> str:
    names = sorted(headers)
    fields = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    # Every service except S3 signs the path encoded a second time.
    signed_path = path if scope.service == "s3" else quote(path)
    lines = [method, signed_path, query, *fields, ""]
    request = "\n".join([*lines, ";".join(names), payload])
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join([ALGORITHM, scope.timestamp, scope.path, digest])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.path.split("/"):
        key = _hmac(key, part)
    return _hmac(key, text).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
