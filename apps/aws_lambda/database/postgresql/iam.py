"""
Tokens that log in to RDS and RDS Proxy in place of a password.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

import os
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from ...aws.identity import credentials, region
from ...aws.sigv4 import Scope, presigned_query

# Seconds for which RDS accepts a token, and for which we use one.
LIFE = 15 * 60
USE = 10 * 60

Login = tuple[str, str, str]  # host, port, user


class Tokens:
    """Mint a token for each login, and use it again while it is good."""

    def __init__(
        self,
        environ: Mapping[str, str] = os.environ,
        # Not the monotonic clock: it may stop while we are frozen.
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._minted: dict[Login, tuple[float, str]] = {}

    def get(self, host: str, port: str, user: str) -> str:
        """Return a token with which the user may connect. Raises AwsError."""
        login = (host, port, user)
        now = self._clock()
        minted, token = self._minted.get(login, (0.0, ""))
        if not 0 <= now - minted < USE:
            token = self._mint(login, now)
            self._minted[login] = (now, token)
        return token

    def forget(self) -> None:
        """Mint anew when next asked: a token was refused."""
        self._minted.clear()

    def _mint(self, login: Login, now: float) -> str:
        # It needs no network: a token is a signed URL without its scheme.
        host, port, user = login
        time = datetime.fromtimestamp(now, UTC)
        query = presigned_query(
            credentials(self._environ),
            Scope(region(self._environ), "rds-db", time),
            f"{host}:{port}",
            {"Action": "connect", "DBUser": user},
            LIFE,
        )
        return f"{host}:{port}/?{query}"
