"""A server with the site's tables, a pgbouncer, and a site with each profile."""

from collections.abc import Iterator

import pytest

from tests.aws_lambda.database.relay import Relay
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.aws_lambda.database.site import Site
from tests.services.pgbouncer import PgBouncer

PROFILES = ["direct", "proxy", "proxy through pgbouncer"]


@pytest.fixture(scope="session")
def server() -> Iterator[SiteServer]:
    """Run a server that the tests may restart and fill."""
    server = SiteServer().start()
    yield server
    server.stop()


@pytest.fixture
def hanging(server: SiteServer) -> Iterator[Relay]:
    """Relay to the server until a query sleeps; from then on nothing passes."""
    relay = Relay(server.postgresql.port)
    relay.hang_when(server.sleeps)
    yield relay
    relay.close()
    # The query is still running.
    server.terminate()


@pytest.fixture(scope="session")
def pgbouncer(server: SiteServer) -> Iterator[PgBouncer]:
    """Run pgbouncer in transaction mode in front of the server."""
    with PgBouncer(server.postgresql, {ROLE: server.password}) as running:
        yield running


@pytest.fixture(scope="module", params=PROFILES)
def site(request: pytest.FixtureRequest, server: SiteServer) -> Iterator[Site]:
    """Serve the site with each profile in turn, in one environment for all tests."""
    profile, _, pooled = request.param.partition(" through ")
    pooler = request.getfixturevalue("pgbouncer") if pooled else None
    with Site(server, profile, pooler) as running:
        yield running
