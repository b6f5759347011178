"""One client: how long it waits for an answer, and where the time goes."""

from benchmarks.bench import Bench
from benchmarks.measures import percentile
from benchmarks.session import STAGES

RATES = (15, 30)
_PICTURE = "1@640x480"
_LENGTH = 3  # of a measurement, in usual ones: one client gives few samples


def measure_single(bench: Bench) -> None:
    """One client at 15 and 30 frames/s, in turns with the kernel at the same pace."""
    seconds = _LENGTH * bench.seconds
    for k in range(bench.rounds):
        bench.say(f"single: round {k + 1} of {bench.rounds}")
        added, tails = zip(*(_measure_rate(bench, rate, seconds) for rate in RATES), strict=True)
        add = bench.figures.add
        add("single.added_ms_p50", max(added), "ms", "median over the kernel's; the worse rate")
        add("single.p99_over_p50", max(tails), "", "the worse rate")


def _measure_rate(bench: Bench, rate: int, seconds: float) -> tuple[float, float]:
    kernel = bench.kernel(_PICTURE, threads=1, frames_per_second=rate, seconds=seconds)
    client = bench.load(_PICTURE, frames_per_second=rate, seconds=seconds)
    add = bench.figures.add
    name = f"single.{rate}fps"
    kernel_ms = percentile(kernel["latencies_ms"], 50)
    add(f"{name}.kernel_ms_p50", kernel_ms, "ms", "the kernel alone, one thread, same pace")
    found = {percent: percentile(client["latencies_ms"], percent) for percent in (50, 95, 99)}
    for percent, latency in found.items():
        add(f"{name}.p{percent}_ms", latency, "ms", "latency")
    stages = client["stages_ms"]
    for stage in STAGES[:-1]:
        add(f"{name}.{stage}_ms", stages[stage], "ms", f"stage {stage!r}, median")
    inside = sum(stages[stage] for stage in STAGES[:-1])
    add(f"{name}.gateway_ms", stages["total"] - inside, "ms", "gateway and its calls, median")
    add(f"{name}.outside_ms", found[50] - stages["total"], "ms", "Envoy, network, client, median")
    return found[50] - kernel_ms, found[99] / found[50]
