"""
What a month costs, with the arithmetic: `python -m deploy.costs medium`.

Prices change, and differ between regions: deploy/prices.py has them, and the
pages to compare them with. What AWS gives away each month is not subtracted.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .bill import DOORS, MILLION, Line, Month, bill
from .tables import positive, table

MONTHS = {
    "small": Month(
        requests=100_000, tasks=5_000, files_gb=1, database="db.t4g.micro",
        database_gb=20,
    ),
    "medium": Month(
        requests=10 * MILLION, tasks=500_000, files_gb=50, routes=50,
        database="db.t4g.medium", database_gb=50, zones=2, network="endpoints",
        retention_months=3,
    ),
    "large": Month(
        requests=300 * MILLION, tasks=15 * MILLION, files_gb=500, routes=100,
        database="db.m7g.xlarge", database_gb=500, zones=2, proxy=True, network="nat",
        tracing=True, retention_months=3,
    ),
}  # fmt: skip


def itemise(month: Month) -> Iterator[tuple[str, ...]]:
    """Yield a row for each line of the bill, and one for their sum."""
    total = 0.0
    for line in bill(month):
        total += line.usd
        yield (line.service, line.what, line.arithmetic, f"{line.usd:,.2f}")
    yield ("all", "", "", f"{total:,.2f}")


def compare(months: Sequence[Month]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each service, with what it costs in each of the months."""
    bills = [list(bill(month)) for month in months]
    for service in dict.fromkeys(line.service for lines in bills for line in lines):
        yield (service, *(spent(lines, service) for lines in bills))
    yield ("all", *(spent(lines) for lines in bills))


def spent(lines: Sequence[Line], service: str = "") -> str:
    return f"{sum(x.usd for x in lines if service in ('', x.service)):,.2f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the bill of one of the sizes, with what is changed in it."""
    parser = argparse.ArgumentParser(prog="deploy.costs", description=__doc__)
    parser.add_argument("size", nargs="?", choices=MONTHS)
    parser.add_argument("--door", choices=DOORS)
    for name in ("requests", "ms", "memory", "routes", "kb", "tasks"):
        parser.add_argument(f"--{name}", type=positive)
    options = vars(parser.parse_args(arguments))
    size = options.pop("size")
    changed = {name: value for name, value in options.items() if value is not None}
    if size:
        columns = ("", "what", "arithmetic", "USD")
        print(table(columns, itemise(replace(MONTHS[size], **changed))))
    else:
        months = [replace(month, **changed) for month in MONTHS.values()]
        print(table(("USD a month", *MONTHS), compare(months)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
