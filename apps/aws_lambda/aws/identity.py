"""The function's region and credentials, from the environment that Lambda sets."""

import json
from collections.abc import Mapping

from .http import AwsError, send
from .sigv4 import Credentials

# The address is on this machine.
CREDENTIALS_TIMEOUT_SECONDS = 2.0


def region(environ: Mapping[str, str]) -> str:
    """Return the region. Raises AwsError if the environment has none."""
    name = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not name:
        raise AwsError("AWS_REGION is not set")
    return name


def credentials(environ: Mapping[str, str]) -> Credentials:
    """
    Return the credentials of the function's role. Raises AwsError if there are none.

    Lambda sets them in the environment. Under SnapStart, where they would expire in
    the snapshot, it serves them at a local URL.
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
        raise AwsError("the environment has no AWS credentials")
    headers = {"authorization": environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")}
    response = send("GET", uri, headers, timeout=CREDENTIALS_TIMEOUT_SECONDS)
    try:
        document = json.loads(response.body)
        return Credentials(
            document["AccessKeyId"], document["SecretAccessKey"], document["Token"]
        )
    except (KeyError, TypeError, ValueError):
        raise AwsError(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI returned no credentials"
        ) from None
