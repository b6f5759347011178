"""Tables for people, and where they stand in docs/scaling.md."""

from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/scaling.md"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def insert(text: str, name: str, content: str) -> str:
    """``text`` with what stands between the two marks of ``name`` replaced.

    Raises:
        ValueError: a mark is missing.
    """
    begin, end = f"<!-- {name}: written by a command -->\n", f"<!-- end of {name} -->\n"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"no marks for {name!r}")
    return f"{before}{begin}{content}{end}{after}"
