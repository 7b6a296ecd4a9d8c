"""Who this function is, and in which region: from the environment Lambda gives it."""

import json
from collections.abc import Mapping

from .http import AwsError, send
from .sigv4 import Credentials

# Seconds, for an address on this machine.
TIMEOUT = 2.0


def region(environ: Mapping[str, str]) -> str:
    """Return the region that Lambda, or a developer, has put in the environment."""
    name = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not name:
        raise AwsError("AWS_REGION is not set")
    return name


def credentials(environ: Mapping[str, str]) -> Credentials:
    """
    Return the credentials of the function's role.

    They are in the environment, except under SnapStart, where they would grow
    old in the snapshot: there a local address gives them out.
    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-activate.html
    """
    if "AWS_ACCESS_KEY_ID" in environ:
        return Credentials(
            environ["AWS_ACCESS_KEY_ID"],
            environ.get("AWS_SECRET_ACCESS_KEY", ""),
            environ.get("AWS_SESSION_TOKEN", ""),
        )
    uri = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI", "")
    if not uri:
        raise AwsError("there are no AWS credentials in the environment")
    headers = {"authorization": environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")}
    _, answer = send("GET", uri, headers, timeout=TIMEOUT)
    try:
        given = json.loads(answer)
        return Credentials(
            given["AccessKeyId"], given["SecretAccessKey"], given["Token"]
        )
    except (KeyError, TypeError, ValueError):
        raise AwsError("the address for AWS credentials gives none") from None
