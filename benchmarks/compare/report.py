"""Turn the results into the tables and the charts of docs/performance.md."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from apps.aws_lambda.cli import ROOT

from . import chart
from .variants import (
    AS_PACKAGED,
    GROWTH,
    LEANEST,
    MAIN,
    OPTIONS,
    OURS,
    PEERS,
    PIP,
    STATIC_FILES,
    WARM,
)

PAGE = ROOT / "docs" / "performance.md"
FOLDER = ROOT / "docs" / "performance"
RESULTS = FOLDER / "results.json"
OTHERS = [variant for variant in MAIN if variant.adapter is not OURS]
# Of fewer rounds the page says that they are preliminary.
ENOUGH_ROUNDS = 15

Results = Mapping[str, Any]


class Ratio(NamedTuple):
    """The median of paired ratios, and their quartiles."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.median:.2f}"
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(samples: Sequence[float], base: Sequence[float]) -> Ratio | None:
    """Return the ratios of two measurements, paired by their rounds."""
    pairs = [a / b for a, b in zip(samples, base, strict=True)]
    if not pairs:
        return None
    if len(pairs) == 1:
        return Ratio(pairs[0], pairs[0], pairs[0])
    low, middle, high = quantiles(pairs, n=4, method="inclusive")
    return Ratio(middle, low, high)


def encode(results: Results) -> str:
    """Return results as JSON, with four digits and a line for each list of numbers."""
    text = json.dumps(rounded(results), indent=1, ensure_ascii=False)
    lists = re.compile(r"\[\s+([-\d.,\s]+?)\s+\]")
    return lists.sub(lambda m: f"[{' '.join(m[1].split())}]", text) + "\n"


def rounded(value: Any) -> Any:
    match value:
        case float():
            return float(f"{value:.4g}")
        case dict():
            return {key: rounded(each) for key, each in value.items()}
        case list():
            return [rounded(each) for each in value]
    return value


def write(results: Path = RESULTS) -> None:
    """Write the page and the charts again."""
    for path, text in files(json.loads(results.read_text()), PAGE.read_text()).items():
        path.write_text(text)


def files(results: Results, page: str) -> dict[Path, str]:
    """Return the page, with new tables between its markers, and the charts."""
    for name, lines in tables(results).items():
        start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        before, found, rest = page.partition(start)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise ValueError(
                f"{PAGE} has no {start} followed by {end}. Add both lines."
            )
        page = "\n".join([f"{before}{start}", "", *lines, "", f"{end}{after}"])
    return {
        PAGE: page,
        FOLDER / "cold.svg": cold_chart(results),
        FOLDER / "warm.svg": warm_chart(results),
        FOLDER / "growth.svg": growth_chart(results),
    }


def tables(results: Results) -> dict[str, list[str]]:
    """Return the lines of each generated part by its name."""
    return {
        "run": run_lines(results),
        "cold": cold_table(results),
        "growth": growth_table(results),
        "warm": warm_table(results, "cpu_ms"),
        "latency": warm_table(results, "wall_ms"),
        "restore": restore_table(results),
        "memory": memory_table(results),
        "size": size_table(results),
        "behind": behind(results),
        "versions": version_lines(results),
    }


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def run_lines(results: Results) -> list[str]:
    run = results["run"]
    rounds = f"{run['rounds']} round{'s' if run['rounds'] > 1 else ''}"
    load = "load {:.1f} before and {:.1f} after".format(*run["load"])
    lines = [
        f"Measured on {run['date']} at commit `{run['commit']}`: {rounds} "
        f"in {run['minutes']:.0f} minutes, {load}. {run['processor']}, "
        f"{run['cores']} cores, {run['system']}, Python {run['python']}."
    ]
    if run["rounds"] < ENOUGH_ROUNDS:
        lines[:0] = [
            f"> **Preliminary:** {rounds} instead of {ENOUGH_ROUNDS}, "
            f"{load}. Read the instructions and the ratios of processor time; "
            "everything else is noise until a run on a quiet machine replaces it.",
            "",
        ]
    return lines


def cold_table(results: Results) -> list[str]:
    cold, base = results["cold"], results["cold"][OURS.name]
    rows = []
    shown = (*MAIN, *AS_PACKAGED, *OPTIONS)
    for variant in (each for each in shown if each.name in cold):
        samples = cold[variant.name]
        modules = results["modules"].get(variant.name)
        counted = results["instructions_m"].get(variant.name)
        rows.append(
            [
                variant.name,
                f"{median(samples['cpu_ms']):,.0f}",
                cell(samples["cpu_ms"], base["cpu_ms"]),
                cell(samples["wall_ms"], base["wall_ms"]),
                cell(samples["evicted_ms"], base["evicted_ms"]),
                f"{counted:,.0f}" if counted else "",
                f"{modules['compiled']}" if modules else "",
                f"{median(samples['memory_mb']):.0f}",
            ]
        )
    header = ["", "CPU, ms", "CPU", "wall", "wall, evicted", "instructions, million"]
    return table([*header, "compiled modules", "memory, MB"], rows)


def cell(samples: Sequence[float], base: Sequence[float]) -> str:
    found = ratio(samples, base)
    return str(found) if found else "not measured"


def growth_rows(results: Results) -> list[tuple[str, list[str]]]:
    """Return labels, and the names of this project and of the leanest peer."""
    both = (OURS.name, LEANEST.name)
    rows = [("the site", list(both))]
    rows += [
        (f"{n:,} more models and URLs", [f"{name}, {n} models" for name in both])
        for n in GROWTH
    ]
    rows.append(
        (
            f"{STATIC_FILES:,} more static files",
            [f"{name}, {STATIC_FILES} static files" for name in both],
        )
    )
    return [row for row in rows if row[1][0] in results["cold"]]


def growth_table(results: Results) -> list[str]:
    cold, counted = results["cold"], results["instructions_m"]
    measured = growth_rows(results)
    if len(measured) == 1:
        return ["A quick run does not measure them."]
    rows = []
    for label, names in measured:
        cells = [label]
        for name, base in zip(names, (OURS.name, LEANEST.name), strict=True):
            cells.append(cell(cold[name]["cpu_ms"], cold[base]["cpu_ms"]))
            cells.append(f"{counted[name]:,.0f}" if name in counted else "")
        rows.append(cells)
    header = [""]
    for name in (OURS.name, LEANEST.name):
        header += [f"{name}: CPU", "instructions, million"]
    return table(header, rows)


def warm_table(results: Results, kind: str) -> list[str]:
    others = [variant.name for variant in WARM[1:]]
    rows = []
    for scenario, samples in results["warm"].items():
        base = samples[OURS.name][kind]
        cells = [str(ratio(samples[name][kind], base)) for name in others]
        rows.append([scenario, f"{median(base):.2f}", *cells])
    return table(["", f"{OURS.name}, ms", *others], rows)


def restore_table(results: Results) -> list[str]:
    starts = median(results["cold"][OURS.name]["cpu_ms"])
    rows = [
        [name, f"{median(values):.1f}", f"{median(values) / starts:.3f}"]
        for name, values in results["restore_cpu_ms"].items()
    ]
    share = f"of a cold start of {OURS.name}"
    return table(["", "CPU of the first request, ms", share], rows)


def memory_table(results: Results) -> list[str]:
    rows = [
        [f"{int(requests):,}", f"{megabytes:.1f}"]
        for requests, megabytes in results["memory_mb"].items()
    ]
    return table(["requests served", "memory, MB"], rows)


def size_table(results: Results) -> list[str]:
    sizes = results["size_mb"]
    plain = sizes[PIP.name]["zip"]
    rows = [
        [
            name,
            f"{size['unzipped']:.1f}",
            f"{size['zip']:.1f}",
            f"{size['zip'] / plain:.2f}",
        ]
        for name, size in sizes.items()
    ]
    return table(["", "unzipped, MB", "zip, MB", f"zip, of {PIP.name}"], rows)


def behind(results: Results) -> list[str]:
    """Return what costs a peer less, by the third quartile of the pairs."""
    found = []
    cold = results["cold"]
    kinds = {
        "cpu_ms": "processor time of a cold start",
        "wall_ms": "wall time of a cold start",
        "evicted_ms": "wall time of a cold start with evicted files",
        "memory_mb": "memory after the first request",
    }
    for kind, words in kinds.items():
        for variant in (*OTHERS, *AS_PACKAGED):
            pair = ratio(cold[variant.name][kind], cold[OURS.name][kind])
            found += line(variant.name, pair, words)
    counted = results["instructions_m"]
    for variant in OTHERS:
        if variant.name in counted:
            share = counted[variant.name] / counted[OURS.name]
            pair = Ratio(share, share, share)
            found += line(variant.name, pair, "instructions of a cold start")
    for kind, words in (("cpu_ms", "processor time"), ("wall_ms", "latency")):
        for scenario, samples in results["warm"].items():
            for variant in OTHERS:
                pair = ratio(samples[variant.name][kind], samples[OURS.name][kind])
                what = f"{words} of a warm request, {scenario}"
                found += line(variant.name, pair, what)
    return found or ["Nothing that was measured costs a peer less."]


def line(name: str, pair: Ratio | None, words: str) -> list[str]:
    return [f"- {words}: {name} {pair}"] if pair and pair.high < 1 else []


def version_lines(results: Results) -> list[str]:
    shown = ["django", "psycopg", "whitenoise"]
    shown += [name.lower() for peer in PEERS for name in peer.requirements]
    pins = results["versions"]
    text = ", ".join(f"{name} {pins[name]}" for name in shown)
    return [f"{text}, awslambdaric {results['run']['awslambdaric']}."]


def cold_chart(results: Results) -> str:
    cold, base = results["cold"], results["cold"][OURS.name]["cpu_ms"]
    packaged = {variant.adapter.name: variant for variant in AS_PACKAGED}
    rows = []
    for variant in MAIN:
        names = [variant.name]
        if variant.name in packaged:
            names.append(packaged[variant.name].name)
        values = []
        for number, name in enumerate(names):
            pair = ratio(cold[name]["cpu_ms"], base)
            if pair:
                milliseconds = f"{median(cold[name]['cpu_ms']):,.0f} ms"
                values.append(chart.Value(number, *pair, milliseconds))
        rows.append((variant.name, values))
    return chart.bars(
        "A cold start, as a multiple of this project's",
        "Processor time from the start of the process to the first response, which has "
        "20 rows of PostgreSQL",
        ["with valid bytecode", "as its usual packager leaves it"],
        rows,
    )


def warm_chart(results: Results) -> str:
    rows = []
    for scenario, samples in results["warm"].items():
        base = samples[OURS.name]["cpu_ms"]
        values = []
        for number, variant in enumerate(MAIN):
            pair = ratio(samples[variant.name]["cpu_ms"], base)
            if pair:
                text = f"{variant.name}: {pair}"
                values.append(chart.Value(number, *pair, text))
        rows.append((scenario, values))
    return chart.dots(
        "A warm request, as a multiple of this project's",
        "Processor time of the function with the runtime client. Logarithmic. The line "
        "through a dot is from quartile to quartile",
        [variant.name for variant in MAIN],
        rows,
    )


def growth_chart(results: Results) -> str:
    cold, counted = results["cold"], results["instructions_m"]
    base = cold[OURS.name]["cpu_ms"]
    rows = []
    for label, names in growth_rows(results):
        values = []
        for number, name in enumerate(names):
            pair = ratio(cold[name]["cpu_ms"], base)
            if name in counted:
                exact = counted[name] / counted[OURS.name]
                pair = Ratio(exact, exact, exact)
            if pair:
                values.append(chart.Value(number, *pair, f"{pair.median:.2f}"))
        rows.append((label, values))
    what = "Instructions" if OURS.name in counted else "Processor time"
    return chart.bars(
        "A cold start of a larger site",
        f"{what}, as a multiple of this project's with the small site",
        [OURS.name, LEANEST.name],
        rows,
    )
