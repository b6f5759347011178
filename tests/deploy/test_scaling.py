"""Capacity model and simulation: they obey arithmetic, and the document has their last output."""

import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from running import ROOT

FOLDER = ROOT / "deploy/simulation"


@pytest.fixture(scope="module", autouse=True)
def on_path() -> Iterator[None]:
    sys.path.insert(0, str(FOLDER))
    yield
    sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def autoscaling() -> ModuleType:
    return importlib.import_module("autoscaling")


@pytest.fixture(scope="module")
def capacity() -> ModuleType:
    return importlib.import_module("capacity")


def test_the_document_has_the_simulations_output(autoscaling: ModuleType) -> None:
    text = (ROOT / "docs/scaling.md").read_text()
    for row in autoscaling.rows(autoscaling.Cluster()):
        assert f"| {' | '.join(row)} |\n" in text


def test_with_room_for_everybody_nothing_is_dropped(autoscaling: ModuleType) -> None:
    cluster = autoscaling.Cluster(minimum=400)
    outcome = autoscaling.simulate(autoscaling.flash_crowd, 3600, cluster, autoscaling.POLICIES[0])
    assert outcome.dropped == 0
    assert outcome.most_pods == 400
    assert outcome.pod_hours == pytest.approx(400)


def test_without_autoscaler_what_is_dropped_is_what_does_not_fit(autoscaling: ModuleType) -> None:
    cluster = autoscaling.Cluster(pod_frames_per_s=100, frames_per_s=10, minimum=2)

    def crowd(second: int) -> float:
        return 10 if second < 60 else 40

    outcome = autoscaling.simulate(crowd, 120, cluster, autoscaling.POLICIES[0])
    assert outcome.offered == 60 * 100 + 60 * 400
    assert outcome.dropped == 60 * (400 - 200)
    assert outcome.longest_overload_s == 60


@pytest.mark.parametrize("policy", [1, 2, 3])
def test_an_autoscaler_keeps_up_with_a_day(autoscaling: ModuleType, policy: int) -> None:
    clients, seconds = autoscaling.SCENARIOS["day"]
    cluster = autoscaling.Cluster()
    outcome = autoscaling.simulate(clients, seconds, cluster, autoscaling.POLICIES[policy])
    assert outcome.dropped == 0
    most = 24 * 10_000 * cluster.frames_per_s / cluster.pod_frames_per_s / 0.65
    assert outcome.pod_hours < 0.8 * most  # it saves, against pods for the busiest hour


def test_a_flash_crowd_is_over_sooner_by_frames_in_flight_than_by_cpu(
    autoscaling: ModuleType,
) -> None:
    clients, seconds = autoscaling.SCENARIOS["flash crowd"]
    none, cpu, frames, both = (
        autoscaling.simulate(clients, seconds, autoscaling.Cluster(), policy)
        for policy in autoscaling.POLICIES
    )
    assert frames.longest_overload_s < 0.6 * cpu.longest_overload_s
    assert both.longest_overload_s < 0.6 * cpu.longest_overload_s
    assert cpu.longest_overload_s < none.longest_overload_s


def test_pods_that_start_slower_drop_more(autoscaling: ModuleType) -> None:
    clients, seconds = autoscaling.SCENARIOS["flash crowd"]
    dropped = [
        autoscaling.simulate(
            clients, seconds, autoscaling.Cluster(start_s=start), autoscaling.POLICIES[1]
        ).dropped
        for start in (10, 30, 90)
    ]
    assert dropped == sorted(dropped)
    assert dropped[0] < dropped[-1]


def test_twice_the_clients_need_twice_the_cores_and_network(capacity: ModuleType) -> None:
    costs = capacity.Costs(dict.fromkeys(capacity.PIECES, 1.0), session_kb=100)
    one, two = (capacity.need(n, costs, capacity.Plan()) for n in (10_000, 20_000))
    assert sum(two.cores.values()) == pytest.approx(2 * sum(one.cores.values()))
    assert one.cores["detector"] == pytest.approx(10_000 * 15 / 1000)
    assert two.gbit_s == pytest.approx(2 * one.gbit_s)
    assert one.gbit_s == pytest.approx(10_000 * 15 * 30e3 * 8 / 1e9)


def test_gateways_are_as_many_as_sessions_or_cpu_ask_for(capacity: ModuleType) -> None:
    costs = capacity.Costs(dict.fromkeys(capacity.PIECES, 0.001), session_kb=100)
    plan = replace(capacity.Plan(), sessions_per_gateway=100, utilization=0.5)
    assert capacity.need(10_000, costs, plan).pods["gateway"] == 200
    assert capacity.need(10_000, costs, plan).pods["envoy"] == 2


def test_measured_figures_are_read_and_missing_ones_told(
    capacity: ModuleType, tmp_path: Path
) -> None:
    file = tmp_path / "bench.json"
    figures = {f"stack.{piece}.cpu_ms_per_frame": 2.0 for piece in capacity.PIECES}
    file.write_text(json.dumps(figures | {"memory.kb_per_session": 80}))
    assert capacity.Costs.read(file).session_kb == 80
    file.write_text("{}")
    with pytest.raises(KeyError, match="stack"):
        capacity.Costs.read(file)
