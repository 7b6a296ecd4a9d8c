"""Charts as SVG: bars and dots, for a light and a dark page, without a library."""

from collections.abc import Sequence
from math import log
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, LABEL, ROW, RIGHT = 760, 220, 22, 70
# Between the dots of a row, which may have the same value.
OFFSET = 6
# Fill of each series in light and dark, all with enough contrast on their background.
SERIES = (
    ("#0c7a4d", "#4fc48d"),
    ("#3b6fb6", "#7eaef0"),
    ("#b0562a", "#e8935f"),
    ("#7a4fa8", "#b794e6"),
    ("#8a6d00", "#d6b93b"),
    ("#14818c", "#5cc8d3"),
)
STYLE = """\
.bg{{fill:#ffffff;stroke:#d8dedb}}text{{font:13px system-ui,sans-serif;fill:#1c2b25}}
.h{{font-weight:600;font-size:15px}}.s{{fill:#56655e;font-size:12px}}
.grid{{stroke:#e3e8e5}}.one{{stroke:#56655e;stroke-dasharray:3 3}}
.q{{stroke:#1c2b25;stroke-width:1.2}}{light}
@media (prefers-color-scheme: dark){{
.bg{{fill:#12191a;stroke:#2b3735}}text{{fill:#e4ece8}}.s{{fill:#9fb0a8}}
.grid{{stroke:#27312f}}.one{{stroke:#9fb0a8}}.q{{stroke:#e4ece8}}
{dark}
}}"""


class Value(NamedTuple):
    """A median with its quartiles, of a series; ``text`` is written beside it."""

    series: int
    median: float
    low: float
    high: float
    text: str


Rows = Sequence[tuple[str, Sequence[Value]]]


def bars(title: str, note: str, series: Sequence[str], rows: Rows) -> str:
    """Return a chart with a bar for each value, from zero."""
    top = max(value.high for _, values in rows for value in values)
    scale = (WIDTH - LABEL - RIGHT) / top

    def x(value: float) -> float:
        return LABEL + value * scale

    ticks = [n * step(top) for n in range(int(top / step(top)) + 1)]
    body, y = [], 84.0
    for label, values in rows:
        middle = y + len(values) * (ROW - 4) / 2 + 4
        body.append(f'<text x="{LABEL - 12}" y="{middle:.1f}" text-anchor="end">')
        body[-1] += f"{escape(label)}</text>"
        for value in values:
            body.append(
                f'<rect x="{LABEL}" y="{y:.1f}" width="{x(value.median) - LABEL:.1f}" '
                f'height="{ROW - 8}" rx="2" class="c{value.series}"/>'
            )
            body.append(quartiles(x(value.low), x(value.high), y + (ROW - 8) / 2))
            body.append(
                f'<text x="{x(value.high) + 8:.1f}" y="{y + 11:.1f}" class="s">'
                f"{escape(value.text)}</text>"
            )
            y += ROW - 4
        y += 12
    return drawing(title, note, series, [(x(t), f"{t:g}") for t in ticks], body, y)


def dots(title: str, note: str, series: Sequence[str], rows: Rows) -> str:
    """Return a chart with a dot for each value, on a logarithmic scale."""
    every = [value for _, values in rows for value in values]
    low = min(0.9, *(value.low for value in every)) * 0.95
    high = max(1.1, *(value.high for value in every)) * 1.05

    def x(value: float) -> float:
        share = log(value / low) / log(high / low)
        return LABEL + share * (WIDTH - LABEL - RIGHT)

    ticks = [t for t in (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20) if low <= t <= high]
    body, y = [], 100.0
    for label, values in rows:
        body.append(f'<text x="{LABEL - 12}" y="{y + 4:.1f}" text-anchor="end">')
        body[-1] += f"{escape(label)}</text>"
        body.append(f'<path d="M{LABEL} {y:.1f}H{WIDTH - RIGHT + 20}" class="grid"/>')
        for value in values:
            line = y + (value.series - (len(series) - 1) / 2) * OFFSET
            body.append(quartiles(x(value.low), x(value.high), line))
            body.append(
                f'<circle cx="{x(value.median):.1f}" cy="{line:.1f}" r="4.5" '
                f'class="c{value.series}"><title>{escape(value.text)}</title></circle>'
            )
        y += OFFSET * len(series) + 12
    return drawing(title, note, series, [(x(t), f"{t:g}") for t in ticks], body, y)


def quartiles(low: float, high: float, y: float) -> str:
    return f'<path d="M{low:.1f} {y:.1f}H{high:.1f}" class="q"/>'


def step(top: float) -> float:
    """Return a distance of ticks that gives at most eight."""
    steps = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    return next((size for size in steps if top / size <= 8), 20.0)


def drawing(
    title: str,
    note: str,
    series: Sequence[str],
    ticks: Sequence[tuple[float, str]],
    body: Sequence[str],
    bottom: float,
) -> str:
    """Return the SVG around the rows of a chart: title, legend, ticks."""
    light = "".join(f".c{n}{{fill:{c[0]}}}" for n, c in enumerate(SERIES))
    dark = "".join(f".c{n}{{fill:{c[1]}}}" for n, c in enumerate(SERIES))
    height = bottom + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" '
        f'role="img" aria-labelledby="title"><title id="title">{escape(title)}. '
        f"{escape(note)}</title><style>{STYLE.format(light=light, dark=dark)}</style>",
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8" '
        'class="bg"/>',
        f'<text x="16" y="26" class="h">{escape(title)}</text>',
        f'<text x="16" y="45" class="s">{escape(note)}</text>',
    ]
    left = 16.0
    for number, name in enumerate(series):
        lines.append(f'<circle cx="{left + 5:.1f}" cy="62" r="5" class="c{number}"/>')
        lines.append(f'<text x="{left + 16:.1f}" y="66.5">{escape(name)}</text>')
        left += 16 + 7.4 * len(name) + 22
    for x, text in ticks:
        kind = "one" if text == "1" else "grid"
        lines.append(f'<path d="M{x:.1f} 78V{bottom:.0f}" class="{kind}"/>')
        lines.append(
            f'<text x="{x:.1f}" y="{bottom + 18:.0f}" text-anchor="middle" class="s">'
            f"{text}</text>"
        )
    return "\n".join([*lines, *body, "</svg>"]) + "\n"
