"""
Sign requests to AWS with Signature Version 4, using only the standard library.

The tests compare the signatures with those of botocore.

https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
"""

import hashlib
import hmac
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote, urlencode

ALGORITHM = "AWS4-HMAC-SHA256"


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
    headers: dict[str, str],
    body: bytes,
    path: str = "/",
) -> dict[str, str]:
    """
    Return the headers of a signed POST.

    ``headers`` have lower-case names and include the host. ``path`` is encoded as it
    is sent, without empty or relative parts.
    """
    headers = {**headers, "x-amz-date": scope.timestamp}
    if credentials.token:
        headers["x-amz-security-token"] = credentials.token
    signature = _sign(credentials, scope, "POST", path, "", headers, body)
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
    parameters: dict[str, str],
    seconds: int,
) -> str:
    """Return a query that authorises a GET of "/" on the host for so many seconds."""
    parameters = {
        **parameters,
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key}/{scope.path}",
        "X-Amz-Date": scope.timestamp,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.token:
        parameters["X-Amz-Security-Token"] = credentials.token
    query = urlencode(sorted(parameters.items()), quote_via=quote, safe="-_.~")
    signature = _sign(credentials, scope, "GET", "/", query, {"host": host}, b"")
    return f"{query}&X-Amz-Signature={signature}"


def _sign(
    credentials: Credentials,
    scope: Scope,
    method: str,
    path: str,
    query: str,
    headers: dict[str, str],
    body: bytes,
) -> str:
    names = sorted(headers)
    fields = [f"{name}:{headers[name]}" for name in names]
    # Every service except S3 signs the path encoded a second time.
    lines = [method, quote(path), query, *fields, ""]
    request = "\n".join([*lines, ";".join(names), hashlib.sha256(body).hexdigest()])
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = "\n".join([ALGORITHM, scope.timestamp, scope.path, digest])
    key = f"AWS4{credentials.secret_key}".encode()
    for part in scope.path.split("/"):
        key = _hmac(key, part)
    return _hmac(key, text).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
