"""The site through pgbouncer in transaction mode, where sessions are shared."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from apps.aws_lambda.cli.lambda_service import FunctionError
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.database.site import Site
from tests.services.pgbouncer import PgBouncer

PROBE = "tests.aws_lambda.database.probe.handle"


def spread(server: SiteServer, pgbouncer: PgBouncer) -> None:
    """Make pgbouncer open several server connections."""
    url = server.url(pgbouncer.port)
    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        one.execute("SELECT 1")
        other.execute("SELECT 1")


@pytest.fixture(scope="module")
def probe(server: SiteServer, pgbouncer: PgBouncer) -> Iterator[Site]:
    with Site(server, "proxy", pgbouncer, handler=PROBE) as site:
        spread(server, pgbouncer)
        yield site


def do(site: Site, what: str, *arguments: str) -> Any:
    return site.environment.invoke({"do": what, "with": arguments})


def test_statements_of_one_request_run_on_several_sessions(probe: Site):
    """Prove that the other tests here can fail."""
    assert do(probe, "sessions") > 1


def test_an_iterator_sees_every_row(probe: Site):
    rows = [row[0] for row in probe.server.ask("SELECT id FROM auth_permission")]

    assert do(probe, "iterate") == sorted(rows)


def test_a_repeated_statement_is_not_prepared(probe: Site):
    assert do(probe, "repeat") == 20


def test_a_transaction_stays_on_one_session(probe: Site):
    assert do(probe, "commit", "kept") == 1
    assert probe.note() == "kept"


def test_savepoints_and_transactions_are_rolled_back(probe: Site):
    do(probe, "commit", "before")

    assert do(probe, "roll_back", "in the transaction") == "in the transaction"
    assert probe.note() == "before"


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ("?DISABLE_SERVER_SIDE_CURSORS=False", "iterate"),
        ("?prepare_threshold=1", "repeat"),
    ],
)
def test_without_an_option_of_the_profile_it_fails(
    server: SiteServer, pgbouncer: PgBouncer, options: str, what: str
):
    with Site(server, "proxy", pgbouncer, options=options, handler=PROBE) as broken:
        spread(server, pgbouncer)

        with pytest.raises(FunctionError, match=r"does not exist|already exists"):
            do(broken, what)


def test_the_admin_works_through_the_pooler(server: SiteServer, pgbouncer: PgBouncer):
    with Site(server, "proxy", pgbouncer) as site:
        spread(server, pgbouncer)
        outcomes = [outcome for _ in range(5) for outcome in site.visit()]

    assert [outcome for outcome in outcomes if not outcome.served] == []
