"""Plots of shares as small SVG files that are readable on light and dark pages. Pure."""

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

_WIDTH, _LEFT, _RIGHT, _TOP = 560, 250, 60, 36
_STEP, _THICKNESS = 22, 14


def bars(title: str, shares: Mapping[str, float]) -> str:
    """A bar for each share, 0 to 1, beside its name; in the order given."""
    height = _TOP + _STEP * len(shares) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12" '
        f'fill="#868e96" role="img" aria-label={quoteattr(title)}>',
        f'<text x="8" y="20" font-size="14">{escape(title)}</text>',
    ]
    for row, (name, share) in enumerate(shares.items()):
        top = _TOP + _STEP * row
        length = share * (_WIDTH - _LEFT - _RIGHT)
        text = top + _THICKNESS - 3
        parts += [
            f'<text x="{_LEFT - 6}" y="{text}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{length:.1f}" height="{_THICKNESS}" '
            'fill="#2f6fde"/>',
            f'<text x="{_LEFT + length + 6:.1f}" y="{text}">{share:.1%}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])
