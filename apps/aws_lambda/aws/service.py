"""Call an AWS service that speaks JSON: a signed POST, with retries."""

import json
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from random import uniform
from typing import Any
from urllib.parse import urlsplit

from .http import AwsError, Response, Unanswered, send
from .identity import credentials, region
from .sigv4 import Scope, signed_headers

# For the connection, and again for each read of the response. A service in the same
# region takes a few hundredths of a second.
SOCKET_TIMEOUT_SECONDS = 2.0
MAX_ATTEMPTS = 3

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
THROTTLING_CODES = {
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
# The domains of partitions, by the beginning of their regions' names: China, the
# European Sovereign Cloud and the isolated ones. All others, GovCloud too, have
# amazonaws.com.
# https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json
DOMAINS = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
    "eu-isoe-": "cloud.adc-e.uk",
}


def call(
    environ: Mapping[str, str],
    service: str,
    target: str,
    parameters: dict[str, Any],
    *,
    deadline: float,
    json_version: str = "1.1",
) -> dict[str, Any]:
    """
    Return the service's response.

    ``target`` is the X-Amz-Target of the operation, such as
    "AmazonSSM.GetParameters", and ``json_version`` the version of the protocol.
    Throttling, server errors and connection errors are retried until MAX_ATTEMPTS or
    ``deadline``, a time of time.monotonic(). Raises AwsError.
    """
    return request(
        environ,
        service,
        json.dumps(parameters).encode(),
        {
            "content-type": f"application/x-amz-json-{json_version}",
            "x-amz-target": target,
        },
        deadline=deadline,
    )


def request(
    environ: Mapping[str, str],
    service: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    deadline: float,
    path: str = "/",
    prefix: str = "",
    attempts: int = MAX_ATTEMPTS,
    response_seconds: float = SOCKET_TIMEOUT_SECONDS,
    once: bool = False,
) -> dict[str, Any]:
    """
    Return the service's response to a signed POST, like ``call``.

    ``service`` is the name in signatures, and ``prefix`` that in host names if it is
    another one. ``path`` is encoded. ``once`` is for what must not happen twice: an
    attempt whose response was lost is not repeated, and raises Unanswered.
    """
    url = endpoint(environ, prefix or service).rstrip("/") + path
    signer, name = credentials(environ), region(environ)
    unsigned = {**headers, "host": urlsplit(url).netloc}

    def attempt(seconds: float) -> dict[str, Any]:
        scope = Scope(name, service, datetime.now(UTC))
        signed = signed_headers(signer, scope, unsigned, body, urlsplit(url).path)
        return _read(
            send(
                "POST",
                url,
                signed,
                body,
                timeout=min(SOCKET_TIMEOUT_SECONDS, seconds),
                response_timeout=min(response_seconds, seconds),
            )
        )

    return retry(attempt, deadline=deadline, attempts=attempts, once=once)


def retry[Answer](
    attempt: Callable[[float], Answer],
    *,
    deadline: float,
    attempts: int = MAX_ATTEMPTS,
    once: bool = False,
) -> Answer:
    """
    Return what ``attempt`` returns, which gets the seconds that are left.

    It is repeated after an AwsError of throttling or without a code.
    """
    if time.monotonic() >= deadline:
        raise AwsError("the time for this call is over")
    for number in count(1):
        try:
            return attempt(deadline - time.monotonic())
        except AwsError as error:
            if error.code and error.code not in THROTTLING_CODES:
                raise
            # Jitter: environments that start together must not retry together.
            pause = uniform(0.05, 0.1) * 2**number  # noqa: S311
            if (
                number == attempts
                or time.monotonic() + pause >= deadline
                or (once and isinstance(error, Unanswered))
            ):
                reason = f"{error} (attempts: {number})"
                raise type(error)(reason, error.code, error.detail) from None
        time.sleep(pause)
    raise AssertionError  # count() does not end


def endpoint(environ: Mapping[str, str], service: str) -> str:
    """Return the URL of a service in this region."""
    # https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
    name = region(environ)
    suffix = next(
        (suffix for prefix, suffix in DOMAINS.items() if name.startswith(prefix)),
        "amazonaws.com",
    )
    return environ.get("AWS_ENDPOINT_URL") or f"https://{service}.{name}.{suffix}"


def _read(response: Response) -> dict[str, Any]:
    status = response.status
    try:
        document = json.loads(response.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        document = {}
    elif status == 200:
        return document
    # A REST service has the code in a header, "Code:http://...", others in the body,
    # "namespace#Code".
    code = response.headers.get("x-amzn-errortype") or str(document.get("__type") or "")
    code = code.partition(":")[0].rpartition("#")[2]
    detail = str(document.get("message") or document.get("Message") or "")
    if code in THROTTLING_CODES:
        raise AwsError(f"AWS throttled the call with {code}", code, detail)
    if code and status < 500:
        raise AwsError(f"AWS returned {code}", code, detail)
    # A gateway in between did not get the response.
    kind = Unanswered if status in (502, 504) else AwsError
    raise kind(f"AWS returned status {status}")
