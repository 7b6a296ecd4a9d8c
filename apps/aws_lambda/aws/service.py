"""Ask an AWS service a question: a signed POST of JSON, repeated if that may help."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from random import uniform
from typing import Any
from urllib.parse import urlsplit

from .http import AwsError, send
from .identity import credentials, region
from .sigv4 import Scope, signed_headers

# Seconds to wait for a connection, and again for each part of the answer. A
# service in the same region takes some hundredths of one.
TIMEOUT = 2.0
ATTEMPTS = 3

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
THROTTLED = {
    "RequestLimitExceeded",
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


def call(
    environ: Mapping[str, str],
    service: str,
    target: str,
    question: dict[str, Any],
    *,
    deadline: float,
    json_version: str = "1.1",
) -> dict[str, Any]:
    """
    Return the service's answer to the question.

    ``target`` is the operation as the service's protocol spells it, such as
    "AmazonSSM.GetParameters", and ``json_version`` that of the protocol. What may
    pass is tried again, up to ATTEMPTS in all and not after ``deadline``, a time of
    time.monotonic(). Raises AwsError.
    """
    url = endpoint(environ, service)
    signer = credentials(environ)
    body = json.dumps(question).encode()
    headers = {
        "content-type": f"application/x-amz-json-{json_version}",
        "host": urlsplit(url).netloc,
        "x-amz-target": target,
    }
    if time.monotonic() >= deadline:
        raise AwsError("no time is left to ask for it")
    for attempt in count(1):
        scope = Scope(region(environ), service, datetime.now(UTC))
        signed = signed_headers(signer, scope, headers, body)
        timeout = min(TIMEOUT, deadline - time.monotonic())
        try:
            return _read(*send("POST", url, signed, body, timeout=timeout))
        except AwsError as error:
            if error.code and error.code not in THROTTLED:
                raise
            # Environments that start together must not come back together.
            pause = uniform(0.05, 0.1) * 2**attempt  # noqa: S311
            if attempt == ATTEMPTS or time.monotonic() + pause >= deadline:
                raise AwsError(f"{error} (attempts: {attempt})", error.code) from None
        time.sleep(pause)
    raise AssertionError  # count() has no end


def endpoint(environ: Mapping[str, str], service: str) -> str:
    """Return the URL of a service in this region."""
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    where = region(environ)
    suffix = "amazonaws.com.cn" if where.startswith("cn-") else "amazonaws.com"
    return environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{where}.{suffix}"


def _read(status: int, answer: bytes) -> dict[str, Any]:
    try:
        document = json.loads(answer)
        if status == 200 and isinstance(document, dict):
            return document
        code = str(document["__type"]).rpartition("#")[2]
    except (KeyError, TypeError, ValueError):
        code = ""
    if code in THROTTLED:
        raise AwsError(f"AWS throttles these calls, {code}", code)
    if code and status < 500:
        raise AwsError(f"AWS answers {code}", code)
    raise AwsError(f"AWS answers with status {status}")
