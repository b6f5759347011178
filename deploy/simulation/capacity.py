"""What a number of clients needs: cores, pods, memory, network and money, from measured figures."""

import argparse
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path

from tables import ROOT, table, write

PIECES = ("envoy", "gateway", "detector", "classifier")


@dataclass(frozen=True)
class Costs:
    """What was measured on one machine; ``cpu_ms`` a frame of each piece, by name."""

    cpu_ms: dict[str, float]
    session_kb: float

    @classmethod
    def read(cls, file: Path) -> "Costs":
        """Takes them from the benchmarks' file; without a figure for memory, assumes 150 KB.

        Raises:
            KeyError: the run has not measured the parts ``stack``.
        """
        figures = json.loads(file.read_text())
        return cls(
            {piece: figures[f"stack.{piece}.cpu_ms_per_frame"] for piece in PIECES},
            figures.get("memory.kb_per_session", 150.0),
        )


@dataclass(frozen=True)
class Plan:
    """How full things may be, what pods are like, and what they cost.

    ``pod_cores`` are what a pod of each piece may use: a gateway is one Python process, whose
    event loop has one core. ``pod_mb`` is its memory without sessions. Prices are a cloud's for
    rented machines, in dollars.
    """

    frames_per_s: float = 15.0
    frame_kb: float = 30.0
    utilization: float = 0.6
    sessions_per_gateway: int = 512
    core_hour: float = 0.04
    gb_hour: float = 0.005
    pod_cores: tuple[tuple[str, float], ...] = (
        ("envoy", 2.0),
        ("gateway", 1.0),
        ("detector", 2.0),
        ("classifier", 2.0),
    )
    pod_mb: tuple[tuple[str, float], ...] = (
        ("envoy", 60.0),
        ("gateway", 90.0),
        ("detector", 160.0),
        ("classifier", 350.0),
    )


@dataclass(frozen=True)
class Need:
    """What a number of clients needs."""

    clients: int
    cores: dict[str, float]
    pods: dict[str, int]
    memory_gb: float
    gbit_s: float
    dollars_per_client_hour: float


def need(clients: int, costs: Costs, plan: Plan) -> Need:
    """Cores are those in use; pods have room for ``utilization``, and there are two at least."""
    frames = clients * plan.frames_per_s
    cores = {piece: frames * costs.cpu_ms[piece] / 1000 for piece in PIECES}
    pod_cores, pod_mb = dict(plan.pod_cores), dict(plan.pod_mb)
    pods = {
        piece: max(2, math.ceil(cores[piece] / (pod_cores[piece] * plan.utilization)))
        for piece in PIECES
    }
    pods["gateway"] = max(
        pods["gateway"], math.ceil(clients / (plan.sessions_per_gateway * plan.utilization))
    )
    memory = sum(pods[p] * pod_mb[p] for p in PIECES) / 1e3 + clients * costs.session_kb / 1e6
    rented_cores = sum(pods[p] * pod_cores[p] for p in PIECES)
    dollars = rented_cores * plan.core_hour + memory * plan.gb_hour
    return Need(clients, cores, pods, memory, frames * plan.frame_kb * 8 / 1e6, dollars / clients)


def saturation(costs: Costs, plan: Plan) -> list[tuple[str, float]]:
    """How many clients one pod of each piece carries when it is full."""
    pod_cores = dict(plan.pod_cores)
    return [
        (piece, pod_cores[piece] * 1000 / costs.cpu_ms[piece] / plan.frames_per_s)
        for piece in PIECES
    ]


def tables(costs: Costs, plan: Plan) -> str:
    """The document's two tables."""
    single = table(
        ["piece", "CPU ms a frame", "cores a pod", "clients that fill a pod"],
        [
            [piece, f"{costs.cpu_ms[piece]:.2f}", f"{dict(plan.pod_cores)[piece]:g}", f"{full:.0f}"]
            for piece, full in saturation(costs, plan)
        ],
    )
    needs = [need(clients, costs, plan) for clients in (100, 10_000, 1_000_000)]
    rows = [
        ["frames a second", *(f"{n.clients * plan.frames_per_s:,.0f}" for n in needs)],
        ["cores in use", *(f"{sum(n.cores.values()):,.0f}" for n in needs)],
        *([f"{piece} pods", *(f"{n.pods[piece]:,}" for n in needs)] for piece in PIECES),
        ["memory in use, GB", *(f"{n.memory_gb:,.1f}" for n in needs)],
        ["pictures coming in, Gbit/s", *(f"{n.gbit_s:,.2f}" for n in needs)],
        ["dollars a client-hour", *(f"{n.dollars_per_client_hour:.5f}" for n in needs)],
    ]
    return f"{single}\n{table(['clients', *(f'{n.clients:,}' for n in needs)], rows)}"


def main() -> None:
    """Exits with 1 without measured figures."""
    parser = argparse.ArgumentParser(prog="capacity", description=__doc__)
    parser.add_argument("--bench", type=Path, default=ROOT / "build/bench.json")
    parser.add_argument("--frames-per-s", type=float, default=Plan.frames_per_s)
    parser.add_argument("--frame-kb", type=float, default=Plan.frame_kb)
    parser.add_argument("--core-hour", type=float, default=Plan.core_hour, help="dollars")
    parser.add_argument("--gb-hour", type=float, default=Plan.gb_hour, help="dollars")
    parser.add_argument("--docs", action="store_true", help="write into docs/scaling.md")
    options = parser.parse_args()
    try:
        costs = Costs.read(options.bench)
    except (OSError, KeyError) as error:
        sys.exit(
            f"capacity: no figures ({error}); measure them first: make bench ONLY=stack,memory"
        )
    plan = Plan(
        frames_per_s=options.frames_per_s,
        frame_kb=options.frame_kb,
        core_hour=options.core_hour,
        gb_hour=options.gb_hour,
    )
    found = tables(costs, plan)
    print(found)
    if options.docs:
        write("capacity", found)


if __name__ == "__main__":
    main()
