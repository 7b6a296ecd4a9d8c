"""
Tokens that log in to RDS and RDS Proxy instead of a password.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ...aws.identity import credentials, region
from ...aws.limits import MAX_RDS_TOKEN_SECONDS
from ...aws.sigv4 import Scope, presigned_query

# Less than the token is valid for, so that it does not expire on its way.
TOKEN_REUSE_SECONDS = 10 * 60

Login = tuple[str, str, str]  # host, port, user


class TokenCache:
    """Sign a token for each login, and reuse it for TOKEN_REUSE_SECONDS."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        # Not the monotonic clock: it may stop during a freeze.
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._tokens: dict[Login, tuple[float, str]] = {}

    def get(self, host: str, port: str, user: str) -> str:
        """Return a token with which the user can connect. Raises AwsError."""
        login = (host, port, user)
        now = self._clock()
        signed_at, token = self._tokens.get(login, (0.0, ""))
        if not 0 <= now - signed_at < TOKEN_REUSE_SECONDS:
            token = self._sign(login, now)
            self._tokens[login] = (now, token)
        return token

    def clear(self) -> None:
        """Sign new tokens from now on."""
        self._tokens.clear()

    def _sign(self, login: Login, now: float) -> str:
        # No call is made: a token is a presigned URL without its scheme.
        host, port, user = login
        query = presigned_query(
            credentials(self._environ),
            Scope(region(self._environ), "rds-db", datetime.fromtimestamp(now, UTC)),
            f"{host}:{port}",
            {"Action": "connect", "DBUser": user},
            MAX_RDS_TOKEN_SECONDS,
        )
        return f"{host}:{port}/?{query}"
