"""Password rotation while an environment with the old password is frozen."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.aws_lambda.database.site import Site
from tests.services.http_stub import HttpStub, Request

PARAMETER = "/site/database-url"


@contextmanager
def site_with_parameter(
    server: SiteServer, profile: str
) -> Iterator[tuple[Site, dict]]:
    """Serve the site with DATABASE_URL in a Parameter Store; yield its values too."""
    values: dict[str, str] = {}

    def answer(request: Request) -> tuple[int, str]:
        found = [
            {"Name": name, "Value": values[name]}
            for name in json.loads(request.body)["Names"]
        ]
        return 200, json.dumps({"Parameters": found})

    with HttpStub(answer) as store:
        variables = {
            "DATABASE_URL": f"ssm:{PARAMETER}",
            "AWS_ENDPOINT_URL": store.url,
        }
        site = Site(server, profile, variables=variables)
        values[PARAMETER] = server.url(site.relay.port)
        with site:
            yield site, values


@pytest.mark.parametrize("profile", ["direct", "proxy"])
def test_a_rotated_password_fails_no_request(server: SiteServer, profile: str):
    old, new = server.password, secrets.token_hex(16)
    with site_with_parameter(server, profile) as (site, values):
        assert all(outcome.served for outcome in site.visit())
        site.environment.freeze()

        server.ask(f"ALTER ROLE {ROLE} PASSWORD '{new}'")
        values[PARAMETER] = values[PARAMETER].replace(old, new)
        server.terminate()
        site.environment.thaw()
        try:
            outcomes = site.visit() + site.visit()
        finally:
            server.ask(f"ALTER ROLE {ROLE} PASSWORD '{old}'")

    assert [outcome for outcome in outcomes if not outcome.served] == []


def test_a_rejected_password_is_fetched_again_for_the_next_request(server: SiteServer):
    with site_with_parameter(server, "direct") as (site, _):
        assert site.request("ready").served
        server.ask(f"ALTER ROLE {ROLE} PASSWORD 'unknown'")

        lost = site.request("ready")
        server.ask(f"ALTER ROLE {ROLE} PASSWORD '{server.password}'")

        assert lost.status == 503
        assert site.request("ready").served
