"""The function's region and credentials, from the environment that Lambda sets."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from .http import AwsError, send
from .sigv4 import Credentials

# The address is on this machine.
CREDENTIALS_TIMEOUT_SECONDS = 2.0
# A link that is signed with credentials ends with them.
RENEWAL_MARGIN = timedelta(minutes=10)

# What a URL returned for a token, and until when it is used. The time is that of the
# clock, which continues in a snapshot that is restored later.
_fetched: dict[tuple[str, str], tuple[Credentials, datetime]] = {}


def region(environ: Mapping[str, str]) -> str:
    """Return the region. Raises AwsError if the environment has none."""
    name = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not name:
        raise AwsError("AWS_REGION is not set")
    return name


def credentials(environ: Mapping[str, str]) -> Credentials:
    """
    Return the credentials of the function's role. Raises AwsError without them.

    Lambda sets them in the environment. Under SnapStart, where they would expire in
    the snapshot, it serves them at a local URL: they are kept until shortly before
    they expire.
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
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    known, until = _fetched.get((uri, token), (None, datetime.min.replace(tzinfo=UTC)))
    if known and datetime.now(UTC) < until:
        return known
    response = send(
        "GET", uri, {"authorization": token}, timeout=CREDENTIALS_TIMEOUT_SECONDS
    )
    try:
        document = json.loads(response.body)
        known = Credentials(
            document["AccessKeyId"], document["SecretAccessKey"], document["Token"]
        )
        if expiration := document.get("Expiration"):
            until = datetime.fromisoformat(expiration) - RENEWAL_MARGIN
            _fetched.clear()
            _fetched[uri, token] = known, until.astimezone(UTC)
        return known
    except (AttributeError, KeyError, TypeError, ValueError):
        raise AwsError(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI returned no credentials"
        ) from None
