"""Three times the load that can be served."""

from benchmarks.bench import Bench
from benchmarks.measures import jain_index, median, percentile

FACTOR = 3
_SESSIONS = 30
_LENGTH = 2  # of a measurement, in usual ones


def measure_overload(bench: Bench) -> None:
    """Capacity first, then as many clients at three times the pace, then capacity again: between
    the two, the machine's own drift cancels out."""
    seconds = _LENGTH * bench.seconds

    def capacity_now() -> float:
        full = bench.load(sessions=_SESSIONS, seconds=seconds)
        return float(full["analysed"] / full["seconds"])

    for k in range(bench.rounds):
        bench.say(f"overload: round {k + 1} of {bench.rounds}")
        capacity = capacity_now()
        over = bench.load(
            sessions=_SESSIONS,
            frames_per_second=FACTOR * capacity / _SESSIONS,
            warm_seconds=1.0,
            seconds=seconds,
        )
        goodput = over["analysed"] / over["seconds"]
        ratio = 2 * goodput / (capacity + capacity_now())
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
