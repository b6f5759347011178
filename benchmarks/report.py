"""What a run found: a table for people, JSON for machines, and docs/performance.md. Pure."""

import json
from collections.abc import Mapping, Sequence

from benchmarks.figures import TARGETS, Figure, Figures

BEGIN = "<!-- written by python -m benchmarks --docs -->"
END = "<!-- end of what is written -->"


def table(figures: Figures) -> str:
    """A table in Markdown that is also readable as it is."""
    rows: list[tuple[str, ...]] = [("figure", "median", "spread", "must be", "what")]
    rows += [_row(figure) for figure in figures.all()]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    rows.insert(1, ("-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:4]), "-" * widths[4]))
    lines = ["| " + " | ".join(_pad(row, widths)) + " |" for row in rows]
    return "\n".join([*lines, *([""] if figures.notes else []), *figures.notes])


def to_json(
    figures: Figures,
    series: Mapping[str, Sequence[Mapping[str, float]]],
    machine: Mapping[str, object],
) -> str:
    """Each figure's median under its own name; ``spread`` has smallest, largest and number of
    rounds, ``scaling`` the points of the plots, ``machine`` where and when it was measured."""
    medians = {figure.key: round(figure.median, 4) for figure in figures.all()}
    spread = {
        figure.key: {
            "min": round(figure.spread[0], 4),
            "max": round(figure.spread[1], 4),
            "rounds": len(figure.values),
            "unit": figure.unit,
        }
        for figure in figures.all()
    }
    rest = {"spread": spread, "scaling": series, "notes": figures.notes, "machine": machine}
    return json.dumps(medians | rest, indent=2) + "\n"


def insert(document: str, written: str, begin: str = BEGIN, end: str = END) -> str:
    """The document with ``written`` in the place of what stands between the two markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, begun, rest = document.partition(begin)
    _, ended, after = rest.partition(end)
    if not (begun and ended):
        raise ValueError(f"expected the lines {begin!r} and {end!r} in the document")
    return f"{before}{begin}\n\n{written}\n\n{end}{after}"


def _row(figure: Figure) -> tuple[str, ...]:
    low, high = figure.spread
    target = TARGETS.get(figure.key)
    asked = ""
    if target is not None:
        asked = f"{target} {'✓' if target.is_met(figure.median) else '✗'}"
    unit = f" {figure.unit}" if figure.unit else ""
    return (
        figure.key,
        number(figure.median) + unit,
        f"{number(low)}-{number(high)}",
        asked,
        figure.meaning,
    )


def number(value: float) -> str:
    """Three significant digits, and none lost in front of the point."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}"


def _pad(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    numeric = (1, 2, 3)
    return [
        text.rjust(width) if k in numeric else text.ljust(width)
        for k, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
