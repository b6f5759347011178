"""Three times the load that can be served."""

from typing import Any

from benchmarks.bench import Bench
from benchmarks.measures import jain_index, median, percentile

FACTOR = 3
_SESSIONS = 30
_TURNS = 3  # in a round: what the machine's host does changes within seconds


def measure_overload(bench: Bench) -> None:
    """Capacity and as many clients at three times the pace, in turns: each measurement is compared
    with the capacity just before and just after it."""

    def capacity_now() -> float:
        full = bench.load(sessions=_SESSIONS)
        return float(full["analysed"] / full["seconds"])

    for k in range(bench.rounds):
        bench.say(f"overload: round {k + 1} of {bench.rounds}")
        before = capacity_now()
        for _ in range(_TURNS):
            over = bench.load(
                sessions=_SESSIONS,
                frames_per_second=FACTOR * before / _SESSIONS,
                warm_seconds=1.0,
            )
            after = capacity_now()
            ratio = 2 * over["analysed"] / over["seconds"] / (before + after)
            before = after
            _add(bench, over, ratio)


def _add(bench: Bench, over: dict[str, Any], ratio: float) -> None:
    latencies = over["latencies_ms"]
    half = len(latencies) // 2
    add = bench.figures.add
    add("overload.goodput_ratio", ratio, "", "analysed frames/s, in capacity's")
    add("overload.jain", jain_index(over["per_session"]), "", "equal shares; 1 is best")
    for percent in (50, 95, 99):
        latency = percentile(latencies, percent)
        add(f"overload.p{percent}_ms", latency, "ms", "latency of analysed frames")
    add(
        "overload.latency_growth",
        median(latencies[half:]) / median(latencies[:half]),
        "",
        "median of the later half, in the earlier's: 1 is bounded",
    )
    add(
        "overload.generator_cores",
        over["generator_cpu_s"] / over["seconds"],
        "",
        "cores that the load generator took from the services",
    )
