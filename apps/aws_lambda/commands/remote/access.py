"""Why AWS cannot be asked from this machine: its credentials, or its network."""

import os
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

PAGE = "docs/troubleshoot.md"
EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
REJECTED = (
    "AuthFailure",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "InvalidToken",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
)


class Barrier(NamedTuple):
    """
    Why AWS cannot be asked, and what to do before the same command.

    ``answered`` is whether AWS has refused the call. Otherwise it may have executed it.
    """

    reason: str
    first: str
    answered: bool = True


def barrier(error: Exception, profile: str = "") -> Barrier | None:
    """
    Return why an exception of boto3 would meet every call, or None.

    ``profile`` is that of the command line.
    """
    from botocore import exceptions

    from .responses import ForeignResponse

    if isinstance(error, exceptions.ClientError):
        code = error.response["Error"]["Code"]
        text = error.response["Error"].get("Message", "")
        if code in EXPIRED:
            return Barrier(f"The AWS session has expired ({code}).", login(profile))
        if code in REJECTED:
            clock = "time" in code.lower() or "signature" in text.lower()
            return Barrier(
                f"AWS rejects the credentials ({code}): {text}",
                f"set the clock of this machine, if it is wrong, or {login(profile)}"
                if clock
                else f"{login(profile)}, unless the account has not enabled the region",
            )
        return None
    if isinstance(error, exceptions.ProfileNotFound):
        return Barrier(f"{error}.", login(profile))
    if isinstance(
        error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError
    ):
        return Barrier(f"There are no AWS credentials: {error}.", login(profile))
    if isinstance(
        error,
        exceptions.CredentialRetrievalError
        | exceptions.LoginError
        | exceptions.SSOError
        | exceptions.TokenRetrievalError,
    ):
        return Barrier(f"There is no AWS session: {error}", login(profile))
    if isinstance(error, ForeignResponse):
        return Barrier(
            f"{error}.",
            "check the proxy and the VPN of this machine, which must let the requests "
            f"to AWS through ({PAGE}#network)",
            answered=False,
        )
    if isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError):
        # "AWSHTTPSConnection(host='...', port=443): Failed to resolve ..."
        cause = str(error.kwargs.get("error") or error).rpartition("): ")[2]
        url = str(error.kwargs.get("endpoint_url") or "")
        return Barrier(
            f"No connection to {urlsplit(url).netloc or 'AWS'}: {cause}.",
            "check the network of this machine, and that the region in the name of the "
            f"host exists ({PAGE}#network)",
            answered=False,
        )
    return None


def status_of(error: Exception) -> int:
    """
    Return the HTTP status of a ClientError, 0 if it is unknown.

    With 500 or more, AWS may have executed the call.
    """
    response = getattr(error, "response", {})
    return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def login(profile: str = "", environ: Mapping[str, str] = os.environ) -> str:
    """Return how to get credentials: the sentence before "then run: ..."."""
    if environ.get("GITHUB_ACTIONS"):
        return "start the job again, which gets new credentials (docs/workflows.md)"
    page = f"({PAGE}#credentials)"
    if environ.get("AWS_ACCESS_KEY_ID") and not profile:
        return (
            "replace AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, "
            f"or unset them and name a profile in AWS_PROFILE {page}"
        )
    name = (
        profile
        or environ.get("AWS_PROFILE")
        or environ.get("AWS_DEFAULT_PROFILE")
        or "default"
    )
    profiles = _profiles()
    if name not in profiles:
        known = f", which has {', '.join(profiles)}," if profiles else ""
        return (
            f"name a profile of ~/.aws/config{known} in AWS_PROFILE, or make one with "
            f"`aws configure sso` {page}"
        )
    source = name
    # A role is assumed with another profile's credentials.
    for _ in profiles:
        source = profiles.get(source, {}).get("source_profile", source)
    settings = profiles.get(source, {})
    if "sso_session" in settings or "sso_start_url" in settings:
        return f"log in with `aws sso login --profile {source}` {page}"
    if "login_session" in settings:
        return f"log in with `aws login --profile {source}` {page}"
    return f"renew the credentials of the profile {source} {page}"


def _profiles() -> dict[str, dict[str, Any]]:
    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        found: dict[str, dict[str, Any]] = Session().full_config["profiles"]
    except BotoCoreError:
        return {}
    return found
