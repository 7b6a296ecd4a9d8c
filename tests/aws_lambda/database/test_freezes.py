"""Requests after a freeze in which the database connection died."""

from contextlib import ExitStack

import pytest

from tests.aws_lambda.database import faults
from tests.aws_lambda.database.server import SiteServer
from tests.aws_lambda.database.site import Site

# The number of connections that a frozen environment holds.
HELD = {"direct": 0, "proxy": 1}


def all_served(site: Site, seconds: float = 1) -> bool:
    outcomes = site.visit()
    assert [o for o in outcomes if not o.served] == [], site.environment.log
    assert max(o.seconds for o in outcomes) < seconds
    return True


@pytest.mark.parametrize("fault", faults.SURVIVED)
def test_no_request_fails_after_a_thaw(site: Site, fault: str):
    assert all_served(site)
    site.environment.freeze()

    with faults.SURVIVED[fault](site):
        site.environment.thaw()

        assert all_served(site, seconds=3)
        assert all_served(site)


def test_a_server_that_does_not_answer_costs_seconds(site: Site):
    """A new connection is not possible either. The environment survives."""
    assert all_served(site)

    site.relay.unresponsive = True
    site.relay.stall()
    outcome = site.request("ready")
    site.relay.release()

    assert outcome.status == 503
    # The time to connect, after the health check of a kept connection.
    assert outcome.seconds < (6 if HELD[site.profile] else 4)
    assert all_served(site)


def test_a_full_server_fails_fast_until_there_is_room(site: Site):
    assert all_served(site)
    site.environment.freeze()

    with faults.server_full(site):
        site.environment.thaw()
        if HELD[site.profile]:
            # Others cannot take the kept connection.
            assert all_served(site)
        else:
            outcome = site.request("ready")
            assert outcome.status == 503
            assert outcome.seconds < 1

    assert all_served(site)


def test_frozen_environments_hold_as_many_connections_as_documented(site: Site):
    count = 3
    with ExitStack() as stack:
        sites = [
            stack.enter_context(Site(site.server, site.profile, site.pgbouncer))
            for _ in range(count)
        ]
        for each in sites:
            assert all_served(each)
            each.environment.freeze()

        held = [each.held() for each in sites]
        assert held == [HELD[site.profile]] * count
        for each in sites:
            each.environment.thaw()
            assert all_served(each)


def test_without_its_health_check_the_profile_loses_a_request(server: SiteServer):
    """Prove that the tests above can fail."""
    options = "?CONN_HEALTH_CHECKS=False"
    with Site(server, "proxy", options=options) as site:
        assert all_served(site)
        site.environment.freeze()
        with faults.backends_terminated(site):
            site.environment.thaw()

            assert not site.request("read").served
            assert all_served(site)
