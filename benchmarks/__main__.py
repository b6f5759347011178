"""``python -m benchmarks``: measures, prints the table, writes build/bench.json."""

import argparse
import os
import platform
import subprocess
import time
from pathlib import Path

from benchmarks.bench import ROOT, Bench
from benchmarks.parts import NAMES, PARTS, SLICES, measure_slices
from benchmarks.plots import line_plot
from benchmarks.report import insert, table, to_json

_JSON = ROOT / "build/bench.json"
_DOCUMENT = ROOT / "docs/performance.md"
# Networks in float32 and int8 run several times faster on cores that have them.
_INSTRUCTIONS = {"avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8"}
_PLOTS = {
    "sessions": ("Cost of a frame over sessions", "sessions", True),
    "faces": ("Cost of a frame over faces", "faces in the frame", False),
    "width": ("Cost of a frame over size", "width of the picture in pixels", False),
}


def main() -> None:
    """Exits with 2 for an unknown part."""
    options = _options()
    began = time.monotonic()
    with Bench(options.seconds, options.rounds, say=_say) as bench:
        wanted = options.only
        if set(SLICES) & set(wanted):
            measure_slices(bench, wanted)
        for name, measure in PARTS.items():
            if name in wanted:
                measure(bench)
    machine = _machine() | {
        "seconds_per_measurement": options.seconds,
        "rounds": options.rounds,
        "seconds_in_all": round(time.monotonic() - began),
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(to_json(bench.figures, bench.series, machine))
    found = table(bench.figures)
    _say(f"\n{found}\n\nwritten to {options.json}")
    if options.docs:
        _write_docs(bench, found, machine)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="benchmarks",
        description="Measures cost, latency, capacity and memory of the running product.",
    )
    parser.add_argument(
        "--only",
        type=_parts,
        default=NAMES,
        metavar="PARTS",
        help=f"parts, separated by commas: {', '.join(NAMES)} (default: all)",
    )
    parser.add_argument(
        "--seconds", type=_positive, default=2.0, help="length of a measurement (default: 2)"
    )
    parser.add_argument(
        "--rounds", type=int, choices=range(1, 100), default=5, metavar="N", help="default: 5"
    )
    parser.add_argument(
        "--json", type=Path, default=_JSON, help="file to write (default: build/bench.json)"
    )
    parser.add_argument(
        "--docs",
        action="store_true",
        help="write the table and the plots into docs/performance.md, too",
    )
    return parser.parse_args()


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(filter(None, text.replace(",", " ").split()))
    unknown = sorted(set(names) - set(NAMES))
    if unknown or not names:
        raise argparse.ArgumentTypeError(
            f"{', '.join(unknown) or 'nothing'} is no part; expected some of {', '.join(NAMES)}"
        )
    return names


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0.1 <= seconds <= 600:
        raise argparse.ArgumentTypeError(f"{text} is out of range; expected 0.1 to 600 seconds")
    return seconds


def _machine() -> dict[str, object]:
    """What the figures depend on besides the code."""
    facts: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        facts.setdefault(name.strip(), value.strip())
    instructions = set(facts.get("flags", "").split()) & _INSTRUCTIONS
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "cpu": facts.get("model name") or platform.machine(),
        "instructions": ", ".join(sorted(instructions)) or "none",
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "load_average_after": round(os.getloadavg()[0], 1),
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit,
    }


def _write_docs(bench: Bench, found: str, machine: dict[str, object]) -> None:
    about = (
        f"{machine['cores']} cores of {machine['cpu']} ({machine['instructions']}), "
        f"Python {machine['python']}, {machine['date']}; "
        f"{machine['rounds']} rounds of {bench.seconds:g} s."
    )
    lines = [about, "", found]
    for name, points in bench.series.items():
        title, x_label, log_x = _PLOTS[name]
        (_DOCUMENT.parent / f"performance-{name}.svg").write_text(
            line_plot(f"{title} (CPU-ms)", x_label, points, log_x=log_x)
        )
        lines += ["", f"![{title}](performance-{name}.svg)"]
    _DOCUMENT.write_text(insert(_DOCUMENT.read_text(), "\n".join(lines)))
    _say(f"written to {_DOCUMENT}")


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main()
