"""
What a freeze costs with each database profile, and what a request costs.

Starts PostgreSQL, pgbouncer and Lambda's runtime client, and prints the tables of
docs/operate.md. The faults are described in tests/aws_lambda/database/faults.py.

Run: .venv/bin/python -m benchmarks.database
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import NamedTuple

from tests.aws_lambda.database import faults
from tests.aws_lambda.database.server import ROLE, SiteServer
from tests.aws_lambda.database.site import Outcome, Site
from tests.services.install import PROJECT
from tests.services.pgbouncer import PgBouncer

VISITS = 3  # of three requests each, after each thaw
FROZEN_ENVIRONMENTS = 5
REQUESTS = 200


class Setup(NamedTuple):
    """A profile, and whether pgbouncer is in between."""

    name: str
    profile: str
    pooled: bool = False
    options: str = ""


SETUPS = [
    Setup("direct", "direct"),
    Setup("proxy, pgbouncer", "proxy", pooled=True),
    Setup("proxy, no pooler", "proxy"),
    # What the proxy profile would be without its health check.
    Setup("no health check", "proxy", options="?CONN_HEALTH_CHECKS=False"),
]
FAULTS = {**faults.SURVIVED, "server full": faults.server_full}


def main() -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ |= {"ENV_FILE": os.devnull, "STATIC_ROOT": folder}
        collect = [sys.executable, "manage.py", "collectstatic", "--verbosity=0"]
        subprocess.run(collect, cwd=PROJECT, check=True)
        server = stack.enter_context(started(SiteServer()))
        users = {ROLE: server.password}
        pgbouncer = stack.enter_context(PgBouncer(server.postgresql, users))

        def site(setup: Setup) -> Site:
            return Site(
                server,
                setup.profile,
                pgbouncer if setup.pooled else None,
                options=setup.options,
            )

        print(f"{3 * VISITS} requests after each thaw: served, failed, hung; longest\n")
        print_row("fault", *(setup.name for setup in SETUPS))
        for name, fault in FAULTS.items():
            print_row(name, *(outcomes_after(site(setup), fault) for setup in SETUPS))
        print()
        print_row("", *(setup.name for setup in SETUPS))
        print_row(
            f"held by {FROZEN_ENVIRONMENTS} frozen",
            *(held(site, setup) for setup in SETUPS),
        )
        for request in ("read", "write", "ready"):
            print_row(
                f"ms, {request}", *(cost(site(setup), request) for setup in SETUPS)
            )


@contextmanager
def started(server: SiteServer) -> Iterator[SiteServer]:
    yield server.start()
    server.stop()


def print_row(first: str, *cells: str) -> None:
    print(f"| {first:24} | " + " | ".join(f"{cell:>18}" for cell in cells) + " |")


def outcomes_after(site: Site, fault: faults.Fault) -> str:
    """
    Freeze, cause the fault, thaw, and return how many requests were served.

    When one hangs, Lambda ends the environment, and the rest count as failed.
    """
    if fault is faults.pooler_restart and not site.pgbouncer:
        site.stop()
        return "-"
    with site:
        site.visit()
        site.environment.freeze()
        outcomes: list[Outcome] = []
        with fault(site):
            site.environment.thaw()
            for _ in range(VISITS):
                outcomes += site.visit()
    served = sum(outcome.served for outcome in outcomes)
    hung = sum(outcome.hung for outcome in outcomes)
    longest = max(outcome.seconds for outcome in outcomes)
    return f"{served}, {len(outcomes) - served - hung}, {hung}; {longest:.2f} s"


def held(site: Callable[[Setup], Site], setup: Setup) -> str:
    """Return the number of connections of FROZEN_ENVIRONMENTS."""
    with ExitStack() as stack:
        sites = [stack.enter_context(site(setup)) for _ in range(FROZEN_ENVIRONMENTS)]
        for each in sites:
            each.visit()
            each.environment.freeze()
        nearest, server = sum(each.held() for each in sites), sites[0].server.held()
    return f"{nearest} (server {server})" if setup.pooled else str(nearest)


def cost(site: Site, request: str) -> str:
    """Return the median duration of a request in milliseconds."""
    with site:
        for _ in range(10):
            site.request(request)
        seconds = [site.request(request).seconds for _ in range(REQUESTS)]
    return f"{median(seconds) * 1000:.1f}"


if __name__ == "__main__":
    main()
