"""Kernel, stack, browser and peer: what a frame costs in each, in alternating slices."""

from collections.abc import Collection
from contextlib import ExitStack

from benchmarks.bench import SATURATING_SESSIONS, Bench
from benchmarks.measures import percentile
from benchmarks.parts.peer import PEERS, Peer, PeerAbsentError

SLICES = ("kernel", "stack", "browser", "peer")


def measure_slices(bench: Bench, wanted: Collection[str]) -> None:
    """Measures those of ``SLICES`` that are wanted, and what their ratios need besides."""
    with ExitStack() as opened:
        peers = []
        for name in PEERS if "peer" in wanted else ():
            try:
                peers.append(opened.enter_context(Peer(name)))
            except PeerAbsentError as error:
                bench.figures.note(str(error))
        for k in range(bench.rounds):
            bench.say(f"kernel, stack, browser, peer: round {k + 1} of {bench.rounds}")
            kernel_ms = _kernel(bench)
            if {"stack", "peer"} & set(wanted):
                _stack(bench, kernel_ms)
            if "browser" in wanted:
                _browser(bench, kernel_ms)
            for peer in peers:
                _peer(bench, peer)


def _kernel(bench: Bench) -> float:
    slice_ = bench.kernel()
    cpu_ms: float = 1e3 * slice_["cpu_s"] / slice_["frames"]
    add = bench.figures.add
    add("kernel.cpu_ms_per_frame", cpu_ms, "ms", "CPU of decoding, detection, classification")
    add("kernel.frames_per_s", slice_["frames"] / slice_["seconds"], "1/s", "on all cores")
    return cpu_ms


def _stack(bench: Bench, kernel_ms: float) -> None:
    slice_ = bench.load(sessions=SATURATING_SESSIONS)
    analysed = slice_["analysed"]
    cpu_ms = 1e3 * sum(slice_["cpu_s"].values()) / analysed
    add = bench.figures.add
    add("stack.cpu_ms_per_frame", cpu_ms, "ms", "CPU of all services, Envoy included")
    add("stack.ratio_to_kernel", cpu_ms / kernel_ms, "", "the same, in kernel's")
    add("stack.frames_per_s", analysed / slice_["seconds"], "1/s", "analysed, saturated")
    for service, seconds in slice_["cpu_s"].items():
        add(f"stack.{service}.cpu_ms_per_frame", 1e3 * seconds / analysed, "ms", "CPU of it alone")
    add(
        "stack.generator_cpu_ms_per_frame",
        1e3 * slice_["generator_cpu_s"] / analysed,
        "ms",
        "CPU of the load generator, not counted above",
    )
    for percent in (50, 95, 99):
        latency = percentile(slice_["latencies_ms"], percent)
        add(f"stack.p{percent}_ms", latency, "ms", f"latency with {SATURATING_SESSIONS} clients")
    add("stack.faces_per_frame", slice_["faces"] / analysed, "", "faces that were found")


def _browser(bench: Bench, kernel_ms: float) -> None:
    slice_ = bench.load(sessions=SATURATING_SESSIONS, wire="websocket")
    analysed = slice_["analysed"]
    cpu_ms = 1e3 * sum(slice_["cpu_s"].values()) / analysed
    add = bench.figures.add
    add("browser.cpu_ms_per_frame", cpu_ms, "ms", "CPU of all services, over WebSocket")
    add("browser.ratio_to_kernel", cpu_ms / kernel_ms, "", "the same, in kernel's")
    add("browser.frames_per_s", analysed / slice_["seconds"], "1/s", "analysed, saturated")
    for percent in (50, 95, 99):
        latency = percentile(slice_["latencies_ms"], percent)
        add(f"browser.p{percent}_ms", latency, "ms", f"latency with {SATURATING_SESSIONS} clients")


def _peer(bench: Bench, peer: Peer) -> None:
    slice_ = peer.measure(max(bench.seconds, 2.0))
    key = f"peer.{peer.name}"
    bench.figures.note(f"{key} detects faces with {peer.detector}")
    cpu_ms = 1e3 * slice_.cpu_seconds / slice_.frames
    stack_ms = bench.figures.latest("stack.cpu_ms_per_frame")
    add = bench.figures.add
    add(f"{key}.cpu_ms_per_frame", cpu_ms, "ms", "CPU of the peer")
    add(f"{key}.faces_per_frame", slice_.faces / slice_.frames, "", "faces that were found")
    add(f"{key}.frames_per_s", slice_.frames / slice_.seconds, "1/s", "of the peer")
    add(
        f"{key}.ratio_frames_per_cpu_s",
        cpu_ms / stack_ms,
        "",
        "frames per CPU-second of the stack, in the peer's",
    )
