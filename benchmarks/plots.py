"""Line plots as small SVG files that are readable on light and dark pages. Pure."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from benchmarks.report import number

_WIDTH, _HEIGHT = 560, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 104, 40, 44
_COLOURS = ("#2f6fde", "#d9480f", "#2b8a3e", "#ae3ec9", "#868e96", "#e8590c")
_MAX_X_LABELS = 9

Point = Mapping[str, float]


def line_plot(title: str, x_label: str, points: Sequence[Point], *, log_x: bool = False) -> str:
    """A plot of every member of ``points`` but ``x`` over ``x``.

    Args:
        title: stands above.
        x_label: stands below; the vertical axis is CPU-ms a frame.
        points: at least two; all have the same members.
        log_x: whether each doubling of x, which must then be above 0, is one step.
    """
    names = [name for name in points[0] if name != "x"]
    top = nice_limit(max(point[name] for point in points for name in names))
    xs = [math.log2(point["x"]) if log_x else point["x"] for point in points]

    def across(x: float) -> float:
        return _LEFT + (x - xs[0]) / (xs[-1] - xs[0]) * (_WIDTH - _LEFT - _RIGHT)

    def up(y: float) -> float:
        return _HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12" '
        f'fill="#868e96" role="img" aria-label="{title}">',
        f'<text x="{_LEFT}" y="20" font-size="14">{title}</text>',
    ]
    for k in range(5):
        y = top * k / 4
        parts.append(
            f'<path d="M{_LEFT} {up(y):.1f}H{_WIDTH - _RIGHT}" stroke="#868e96" '
            f'stroke-opacity=".3"/>{_text(_LEFT - 6, up(y) + 4, number(y), "end")}'
        )
    step = -(-len(points) // _MAX_X_LABELS)
    for x, point in list(zip(xs, points, strict=True))[::step]:
        parts.append(_text(across(x), _HEIGHT - _BOTTOM + 16, f"{point['x']:g}", "middle"))
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    parts.append(_text(middle, _HEIGHT - 8, x_label, "middle"))
    ends = spread_out([up(points[-1][name]) for name in names], 14)
    for name, colour, end in zip(names, _COLOURS, ends, strict=False):
        line = " ".join(
            f"{across(x):.1f},{up(point[name]):.1f}" for x, point in zip(xs, points, strict=True)
        )
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(_WIDTH - _RIGHT + 6, end + 4, name, "start", colour))
    return "\n".join([*parts, "</svg>", ""])


def nice_limit(value: float) -> float:
    """The smallest of 1, 2, 4, 5, 8 or 10 times a power of ten that is not below ``value``."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(limit * power for limit in (1, 2, 4, 5, 8, 10) if limit * power >= value)


def spread_out(positions: Sequence[float], gap: float) -> list[float]:
    """Moves positions up, in their order, until each is at least ``gap`` from the next."""
    moved = list(positions)
    order = sorted(range(len(moved)), key=lambda k: moved[k], reverse=True)
    for lower, upper in pairwise(order):
        moved[upper] = min(moved[upper], moved[lower] - gap)
    return moved


def _text(x: float, y: float, text: str, anchor: str, colour: str = "") -> str:
    fill = f' fill="{colour}"' if colour else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{fill}>{text}</text>'
