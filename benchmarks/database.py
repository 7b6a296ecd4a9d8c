"""
What a freeze costs with each database profile, and what a request costs.

Starts a PostgreSQL server, pgbouncer and the real runtime client, and prints the
tables of docs/operate.md. The faults are those of tests/aws_lambda/database, which also
says what happens in each.

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
FROZEN = 5
REQUESTS = 200


class Way(NamedTuple):
    """A profile, and how it reaches the database."""

    name: str
    profile: str
    pooled: bool = False
    options: str = ""


WAYS = [
    Way("direct", "direct"),
    Way("proxy, pgbouncer", "proxy", pooled=True),
    Way("proxy, no pooler", "proxy"),
    # What the proxy profile would be without its health check.
    Way("no health check", "proxy", options="?CONN_HEALTH_CHECKS=False"),
]
FAULTS = {**faults.HEALED, "server full": faults.server_full}


def main() -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        os.environ |= {"ENV_FILE": os.devnull, "STATIC_ROOT": folder}
        collect = [sys.executable, "manage.py", "collectstatic", "--verbosity=0"]
        subprocess.run(collect, cwd=PROJECT, check=True)
        server = stack.enter_context(started(SiteServer()))
        users = {ROLE: server.password}
        pgbouncer = stack.enter_context(PgBouncer(server.postgresql, users))

        def site(way: Way) -> Site:
            return Site(
                server,
                way.profile,
                pgbouncer if way.pooled else None,
                options=way.options,
            )

        print(f"{3 * VISITS} requests after each thaw: served, failed, hung; longest\n")
        print_row("fault", *(way.name for way in WAYS))
        for name, fault in FAULTS.items():
            print_row(name, *(suffer(site(way), fault) for way in WAYS))
        print()
        print_row("", *(way.name for way in WAYS))
        print_row(f"held by {FROZEN} frozen", *(held(site, way) for way in WAYS))
        for request in ("read", "write", "ready"):
            print_row(f"ms, {request}", *(cost(site(way), request) for way in WAYS))


@contextmanager
def started(server: SiteServer) -> Iterator[SiteServer]:
    yield server.start()
    server.stop()


def print_row(first: str, *cells: str) -> None:
    print(f"| {first:24} | " + " | ".join(f"{cell:>18}" for cell in cells) + " |")


def suffer(site: Site, fault: faults.Fault) -> str:
    """
    Freeze, let the fault happen, thaw, and say what became of the requests.

    When one hangs, Lambda kills the environment; the rest then count as failed.
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


def held(site: Callable[[Way], Site], way: Way) -> str:
    """Return how many connections some frozen environments hold."""
    with ExitStack() as stack:
        sites = [stack.enter_context(site(way)) for _ in range(FROZEN)]
        for each in sites:
            each.visit()
            each.environment.freeze()
        nearest, server = sum(each.held() for each in sites), sites[0].server.held()
    return f"{nearest} (server {server})" if way.pooled else str(nearest)


def cost(site: Site, request: str) -> str:
    """Return the median milliseconds of a request."""
    with site:
        for _ in range(10):
            site.request(request)
        seconds = [site.request(request).seconds for _ in range(REQUESTS)]
    return f"{median(seconds) * 1000:.1f}"


if __name__ == "__main__":
    main()
