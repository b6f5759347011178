"""How many clients at 15 frames/s the machine serves well, load generator included."""

from benchmarks.bench import SATURATING_SESSIONS, Bench
from benchmarks.measures import largest_passing, percentile

RATE = 15
MAX_P95_MS = 100
MAX_LOST = 0.01
_LIMIT = 500
_LENGTH = 2  # of a try, in usual measurements


def measure_clients(bench: Bench) -> None:
    """Looks for the largest number of clients whose p95 is at most 100 ms and of whose frames
    at most 1 % are lost: dropped, skipped, failed or unanswered."""
    for k in range(bench.rounds):
        bench.say(f"clients: round {k + 1} of {bench.rounds}")
        full = bench.load(sessions=SATURATING_SESSIONS)
        guess = max(1, int(0.8 * full["analysed"] / full["seconds"] / RATE))
        found = largest_passing(lambda clients: _serves_well(bench, clients), guess, _LIMIT)
        bench.figures.add("clients.at_15fps", found, "", "p95 ≤ 100 ms and ≤ 1 % lost")


def _serves_well(bench: Bench, clients: int) -> bool:
    tried = bench.load(
        sessions=clients,
        frames_per_second=RATE,
        warm_seconds=1.0,
        seconds=_LENGTH * bench.seconds,
    )
    due = sum(tried["outcomes"].values())
    lost = 1 - tried["outcomes"].get("recognition", 0) / due
    p95_ms = percentile(tried["latencies_ms"] or [float("inf")], 95)
    bench.say(f"  {clients} clients: p95 {p95_ms:.0f} ms, {100 * lost:.1f} % lost")
    return p95_ms <= MAX_P95_MS and lost <= MAX_LOST
