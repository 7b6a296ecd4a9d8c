"""
Count the instructions of a cold start, and fail above a budget.

    python -m benchmarks.compare.gate

The web function of the comparison's site, until it has answered its first request, is
compared with Django alone: the same site, libraries and Python load Django and the URLs
and send a query, without Lambda. Such a ratio does not depend on the machine, so that
CI can have a budget for it. Needs Linux and valgrind, and takes a few minutes.
"""

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.services.install import Unavailable
from tests.services.postgresql import PostgreSQL

from . import build, cold
from .__main__ import say, working_folder
from .process import FIRST, Target, WrongAnswer
from .variants import LEANEST, OURS, WITH_STATIC_FILES, Variant

OURS_ALONE = Variant(OURS.name, OURS)
[GROWN] = [variant for variant in WITH_STATIC_FILES if variant.adapter is OURS]
CONTROL = "Django alone"
PROGRAM = f"""
import django
django.setup()
from django.urls import resolve
resolve({FIRST.target!r})
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT 1")
"""
# The highest ratio of the first count to the second. The comments have what was
# counted; with other builds of Python it may be a few hundredths more.
BUDGETS = {
    (OURS.name, CONTROL): 0.93,  # 0.896
    (GROWN.name, OURS.name): 1.01,  # 1.0012
}


def main() -> int:
    """Print the counts and the ratios, and return 1 if one is above its budget."""
    try:
        with working_folder() as work:
            counts = measure(work)
    except (build.BuildError, Unavailable, WrongAnswer) as error:
        print(error, file=sys.stderr)
        return 1
    for name, millions in counts.items():
        print(f"{name}: {millions:,.1f} million instructions")
    for (name, other), budget in BUDGETS.items():
        ratio = counts[name] / counts[other]
        print(f"{name} / {other}: {ratio:.4f}, and the budget is {budget}")
    for sentence in (exceeded := over_budget(counts)):
        print(sentence, file=sys.stderr)
    return 1 if exceeded else 0


def measure(work: Path) -> dict[str, float]:
    """Return millions of instructions by name. Raises what `main` catches."""
    if shutil.which("valgrind") is None:
        raise Unavailable("valgrind is not installed: apt-get install valgrind")
    say("Building the packages")
    builder = build.Builder(work)
    libraries = build.runtime_libraries(work / "libraries")
    control = builder.build(Variant(LEANEST.name, LEANEST))
    with PostgreSQL() as server:
        url = server.url()
        build.seed(control, LEANEST, url)
        targets = [
            Target(variant, builder.build(variant), libraries, url)
            for variant in (OURS_ALONE, GROWN)
        ]
        say("Counting instructions")

        def load_django(prefix: tuple[str, ...]) -> None:
            build.run_django(control, LEANEST, "-c", PROGRAM, url=url, prefix=prefix)

        counts = {CONTROL: cold.count(load_django) or 0}
        return counts | cold.all_instructions(targets)


def over_budget(counts: Mapping[str, float]) -> list[str]:
    """Return a sentence for each ratio that is above its budget."""
    return [
        f"{name} takes {ratio:.4f} of the instructions of {other}, more than "
        f"the budget of {budget} in {Path(__file__).name}. Do without what was added "
        "to the cold start, or change the budget."
        for (name, other), budget in BUDGETS.items()
        if (ratio := counts[name] / counts[other]) > budget
    ]


if __name__ == "__main__":
    sys.exit(main())
