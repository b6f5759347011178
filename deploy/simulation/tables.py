"""Tables for people, and where they stand in docs/scaling.md."""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT))  # the commands are called by file, from anywhere

from benchmarks.report import insert  # noqa: E402

DOCUMENT = ROOT / "docs/scaling.md"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; all columns but the first are numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def write(name: str, content: str) -> None:
    """Puts ``content`` between the two markers of ``name`` in the document.

    Raises:
        ValueError: the markers are not there.
    """
    begin, end = f"<!-- {name}: written by a command -->", f"<!-- end of {name} -->"
    DOCUMENT.write_text(insert(DOCUMENT.read_text(), content.rstrip(), begin, end))
