"""Time to start, and memory idle, loaded and for each session."""

import time

from emotion_local import Stack

from benchmarks.bench import SATURATING_SESSIONS, Bench
from benchmarks.processes import resident_kb, tree

_MANY, _FEW = 200, 20
_FRAMES_PER_SECOND = 80  # of all sessions together, so that both numbers cause the same work
_SETTLE_SECONDS = 0.5


def measure_start(bench: Bench) -> None:
    """From the start of all processes until each says that it is healthy."""
    for k in range(bench.rounds):
        bench.say(f"start: round {k + 1} of {bench.rounds}")
        stack = bench.new_stack("start")
        began = time.monotonic()
        with stack:
            seconds = time.monotonic() - began
        bench.figures.add("start.healthy_s", seconds, "s", "from nothing to all healthy")


def measure_memory(bench: Bench) -> None:
    """Resident memory of every service; pages that processes share count in each.

    A session's is the difference between many and few sessions that send as many frames.
    """
    add = bench.figures.add
    for k in range(bench.rounds):
        bench.say(f"memory: round {k + 1} of {bench.rounds}")
        with bench.new_stack("memory") as stack:
            time.sleep(_SETTLE_SECONDS)
            idle = _resident_mb(stack)
            add("memory.idle_mb", sum(idle.values()), "MiB", "all services, just started")
            for service, size in idle.items():
                add(f"memory.{service}.idle_mb", size, "MiB", "it alone")
            bench.load(stack=stack, sessions=SATURATING_SESSIONS)
            loaded = _resident_mb(stack)
            add("memory.loaded_mb", sum(loaded.values()), "MiB", "all services, after full load")
            kb = {n: _resident_with(bench, stack, n) for n in (_FEW, _MANY)}
            add(
                "memory.kb_per_session",
                (kb[_MANY] - kb[_FEW]) / (_MANY - _FEW),
                "KiB",
                "all services, for each open stream",
            )


def _resident_mb(stack: Stack) -> dict[str, float]:
    return {name: resident_kb(tree(p.pid)) / 1024 for name, p in stack.processes.items()}


def _resident_with(bench: Bench, stack: Stack, sessions: int) -> int:
    measured = bench.load(
        stack=stack,
        sessions=sessions,
        frames_per_second=_FRAMES_PER_SECOND / sessions,
        warm_seconds=sessions / _FRAMES_PER_SECOND,
    )
    return int(sum(measured["resident_kb"].values()))
