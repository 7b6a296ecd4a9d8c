"""Connections to Lambda and to its log, which last as long as a command."""

import socket
from typing import Any

from ...aws.limits import MAX_INVOCATION_SECONDS
from .errors import RemoteError, Target, aws_error
from .region import Region, find_region

CONNECT_TIMEOUT_SECONDS = 10
# Lambda may respond some seconds after the function's timeout.
READ_TIMEOUT_SECONDS = MAX_INVOCATION_SECONDS + 30
# An idle connection is dropped after 350 seconds by a NAT gateway, and after four
# minutes by GitHub's runners. By default Linux sends the first probe after two hours.
# https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html
KEEP_ALIVE_SECONDS = 60
# macOS has another name for the first.
KEEP_ALIVE_OPTIONS = ("TCP_KEEPIDLE", "TCP_KEEPALIVE", "TCP_KEEPINTVL")


def make_clients(
    target: Target, region: str | Region | None, profile: str | None
) -> tuple[Any, Any, Region]:
    """Return boto3's clients for Lambda and the log, and the region."""
    try:
        import boto3
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError

        from .responses import check_responses
    except ImportError:
        raise RemoteError(
            "manage.py remote needs boto3, and boto3 is not installed. "
            "Run: pip install boto3"
        ) from None

    found = (
        region
        if isinstance(region, Region)
        else find_region(region or "", profile or "")
    )
    if not found.name:
        raise RemoteError(
            "No AWS region is configured. Pass --region, or set AWS_REGION: there is "
            "no serverless.yml with one, and the profile has none."
        )
    try:
        core = botocore.session.Session(profile=profile)
        session = boto3.Session(botocore_session=core, region_name=found.name)
        functions = session.client(
            "lambda",
            config=Config(
                # A retry would run the command again.
                retries={"total_max_attempts": 1},
            ),
        )
        keep_alive(functions, core.get_config_variable("ca_bundle") or True)
        # The result has the lines that the log does not deliver in time.
        quick = Config(
            connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}
        )
        logs = session.client("logs", config=quick)
        return check_responses(functions), check_responses(logs), found
    except (BotoCoreError, ClientError, ValueError) as error:
        raise aws_error(error, target, found, profile or "") from error


def keep_alive(client: Any, verify: str | bool) -> None:
    """
    Make a client of boto3 send a probe every minute while it waits for a response.

    botocore itself can only switch probes on, not say when they are sent. ``verify``
    is a file of certificates, or True for those of botocore.
    """
    from botocore.httpsession import URLLib3Session
    from botocore.utils import get_environ_proxies

    options = [
        (socket.IPPROTO_TCP, getattr(socket, name), KEEP_ALIVE_SECONDS)
        for name in KEEP_ALIVE_OPTIONS
        if hasattr(socket, name)
    ]
    session = URLLib3Session(
        verify=verify,
        proxies=get_environ_proxies(client.meta.endpoint_url),
        timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
        socket_options=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *options],
    )
    client.meta.events.register(
        "before-send.lambda", lambda request, **_: session.send(request)
    )
