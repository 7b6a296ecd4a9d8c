"""
How much of everything a load needs, on paper: `python -m deploy.capacity --rps 500`.

No account is asked. The formulae are in docs/deploy.md, whose tables are this
program's output; what they leave out, a load test shows.
"""

import argparse
import sys
from collections.abc import Sequence

from .bill import DOORS, bill
from .load import Load, connections
from .tables import positive, table

PEAKS = (1, 10, 100, 1_000, 10_000)

COLUMNS = (
    "requests/s",
    "at work",
    "concurrency",
    "all new at once",
    "max_connections, direct",
    "behind a proxy",
    "raise",
    "USD a month",
)


def row(load: Load) -> tuple[str, ...]:
    """Return a line of the table."""
    late = f" in {load.cold_seconds:,.0f} s" if load.cold_seconds else ""
    return (
        f"{load.rps:,g}",
        f"{load.busy:,.1f}",
        f"{load.reserved:,}",
        f"{load.cold:,}{late}",
        f"{connections(load.direct):,}",
        f"{connections(load.proxied):,}",
        "; ".join(load.to_raise) or "nothing",
        f"{sum(line.usd for line in bill(load.month)):,.0f}",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="deploy.capacity", description=__doc__)
    parser.add_argument("--rps", type=positive, nargs="+", default=PEAKS)
    parser.add_argument("--door", choices=DOORS, default=Load.door)
    for name in Load.__annotations__:
        if name not in ("rps", "door"):
            option = f"--{name.replace('_', '-')}"
            parser.add_argument(option, type=positive, default=getattr(Load, name))
    options = vars(parser.parse_args(arguments))
    loads = [Load(rps=rps, **options) for rps in options.pop("rps")]
    print(table(COLUMNS, map(row, loads)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
