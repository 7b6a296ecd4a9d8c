"""The database server of the site, and what the tests of several modules share."""

import json
from typing import Any

from tests.aws_lambda.database.conftest import hanging, server
from tests.aws_lambda.database.server import ROLE, SiteServer

__all__ = ["hanging", "server"]


def json_lines(log: str) -> list[dict[str, Any]]:
    """Return the log lines that are JSON."""
    return [json.loads(line) for line in log.splitlines() if line.startswith("{")]


def no_connection_left(server: SiteServer) -> bool:
    """Wait until the site's role holds no connection; return whether that is so."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s "
        "AND pg_sleep(0.05) IS NOT NULL"
    )
    return any(server.ask(query, ROLE) == [(0,)] for _ in range(100))
