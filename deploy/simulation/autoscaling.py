"""Detectors under a daily curve and a flash crowd, scaled on CPU or on frames in flight.

Steps of one second, nothing random. Clients send at a fixed rate; what the detectors cannot take
is dropped by the gateways, which keep the newest frame of each session, so frames in flight are at
most one a client. The autoscaler is Kubernetes': every 15 s, ratio of metric to target, a tolerance
of a tenth, at most doubling (or 4 pods more) up, a tenth a minute down and only below the highest
wish of ten minutes.
"""

import argparse
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tables import table, write

Clients = Callable[[int], float]
"""Clients at a second of the scenario."""

SYNC_S = 15
TOLERANCE = 0.1
CALM_S = 600


@dataclass(frozen=True)
class Cluster:
    """What the detectors are like.

    ``pod_frames_per_s`` is what a pod of 2 cores carries; ``start_s`` from the wish for a pod to
    its first frame, with a node that has room and the image; ``base_ms`` a frame's time in an idle
    service; ``cpu_lag_s`` and ``frames_lag_s`` how old the metrics are that the autoscaler sees,
    ``cpu_window_s`` over what CPU is averaged.
    """

    pod_frames_per_s: float = 700.0
    frames_per_s: float = 15.0
    base_ms: float = 10.0
    start_s: int = 20
    cpu_lag_s: int = 15
    cpu_window_s: int = 30
    frames_lag_s: int = 15
    minimum: int = 2
    maximum: int = 2000


@dataclass(frozen=True)
class Policy:
    """What is scaled on; a target of 0 leaves that metric out."""

    name: str
    cpu_target: float = 0.0
    frames_target: float = 0.0


POLICIES = (
    Policy("no autoscaler"),
    Policy("CPU 65 %", cpu_target=0.65),
    Policy("frames in flight 4 a pod", frames_target=4.0),
    Policy("CPU 65 % and frames 8 a pod", cpu_target=0.65, frames_target=8.0),
)


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario."""

    offered: float
    dropped: float
    most_pods: int
    pod_hours: float
    longest_overload_s: int
    """Longest time in a row with more than one frame in a hundred dropped."""


def day(second: int) -> float:
    """500 clients at four in the morning, 10,000 at four in the afternoon."""
    return 500 + 9500 * (0.5 - 0.5 * math.cos(2 * math.pi * (second / 3600 - 4) / 24))


def flash_crowd(second: int) -> float:
    """1,000 clients; from the tenth minute ten times as many, who come within half a minute and
    stay for half an hour."""
    if not 600 <= second < 2400:
        return 1000
    return 1000 + 9000 * min(1.0, (second - 600) / 30)


SCENARIOS: dict[str, tuple[Clients, int]] = {
    "day": (day, 24 * 3600),
    "flash crowd": (flash_crowd, 3600),
}


def simulate(clients: Clients, seconds: int, cluster: Cluster, policy: Policy) -> Outcome:
    """Runs a scenario, beginning with as many pods as CPU at 65 % asks for."""
    load = clients(0) * cluster.frames_per_s
    pods = max(cluster.minimum, math.ceil(load / cluster.pod_frames_per_s / 0.65))
    starting: deque[int] = deque()  # seconds at which they are ready
    cpu: deque[float] = deque(maxlen=cluster.cpu_lag_s + cluster.cpu_window_s)
    flight: deque[float] = deque(maxlen=cluster.frames_lag_s + 1)
    wishes: deque[int] = deque(maxlen=CALM_S // SYNC_S)
    offered = dropped = pod_seconds = 0.0
    most = pods
    overload = longest = 0
    downs: deque[tuple[int, int]] = deque()
    for second in range(seconds):
        while starting and starting[0] <= second:
            starting.popleft()
            pods += 1
        rate = clients(second) * cluster.frames_per_s
        capacity = pods * cluster.pod_frames_per_s
        lost = max(0.0, rate - capacity)
        used = min(1.0, rate / capacity)
        cpu.append(used)
        flight.append(in_flight(clients(second), rate, capacity, cluster.base_ms))
        offered += rate
        dropped += lost
        overload = overload + 1 if lost > 0.01 * rate else 0
        longest = max(longest, overload)
        pod_seconds += pods + len(starting)
        most = max(most, pods + len(starting))
        if second % SYNC_S or second < SYNC_S:
            continue
        wanted = pods + len(starting)
        now = wanted
        # Pods that are not ready count as idle, as in Kubernetes, so they do not raise the wish.
        window = list(cpu)[: cluster.cpu_window_s]
        wishes_now = []
        if policy.cpu_target:
            measured = sum(window) / len(window) * pods / now
            wishes_now.append(scaled(now, measured / policy.cpu_target))
        if policy.frames_target:
            wishes_now.append(scaled(now, flight[0] / now / policy.frames_target))
        if not wishes_now:
            continue
        wish = min(cluster.maximum, max(cluster.minimum, *wishes_now))
        wishes.append(wish)
        if wish > now:
            for _ in range(min(wish, max(2 * now, now + 4)) - now):
                starting.append(second + cluster.start_s)
        elif (calm := max(wishes)) < now and not starting:
            while downs and downs[0][0] <= second - 60:
                downs.popleft()
            start_of_minute = now + sum(count for _, count in downs)
            floor = start_of_minute - math.ceil(start_of_minute * 0.1)
            count = now - max(calm, floor)
            if count > 0:
                pods -= count
                downs.append((second, count))
    return Outcome(offered, dropped, most, pod_seconds / 3600, longest)


def scaled(pods: int, ratio: float) -> int:
    """Kubernetes' wish for a metric that is ``ratio`` times its target."""
    return pods if abs(ratio - 1) <= TOLERANCE else math.ceil(pods * ratio)


def in_flight(clients: float, rate: float, capacity: float, base_ms: float) -> float:
    """Frames that wait or are in work: rate times time (Little's law), where the wait grows as
    1 / (1 - use) with the use of the detectors; at most one a client."""
    use = rate / capacity
    if use >= 1:
        return clients
    return min(clients, rate * base_ms / 1000 * (1 + use * use / (1 - use) / 10))


def rows(cluster: Cluster) -> list[list[str]]:
    """A row for each scenario and policy."""
    found = []
    for scenario, (clients, seconds) in SCENARIOS.items():
        for policy in POLICIES:
            outcome = simulate(clients, seconds, cluster, policy)
            found.append(
                [
                    f"{scenario}, {policy.name}",
                    f"{100 * outcome.dropped / outcome.offered:.2f}",
                    str(outcome.longest_overload_s),
                    str(outcome.most_pods),
                    f"{outcome.pod_hours:.0f}",
                ]
            )
    return found


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="autoscaling", description=__doc__)
    parser.add_argument("--start-s", type=int, default=Cluster.start_s)
    parser.add_argument("--pod-frames-per-s", type=float, default=Cluster.pod_frames_per_s)
    parser.add_argument("--docs", action="store_true", help="write into docs/scaling.md")
    options = parser.parse_args()
    cluster = Cluster(start_s=options.start_s, pod_frames_per_s=options.pod_frames_per_s)
    head = ["scenario", "frames dropped, %", "longest overload, s", "most pods", "pod-hours"]
    found = table(head, rows(cluster))
    print(found)
    if options.docs:
        write("autoscaling", found)


if __name__ == "__main__":
    main()
