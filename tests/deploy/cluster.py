"""Enough of a cluster to roll Deployments of our manifests on one machine.

Pods are processes, each on a loopback address of its own, with the environment, probes, hooks and
grace periods of the manifests. The names of headless Services are served by a real name server
that may lag behind, as those of clusters do, which remember answers for up to 30 s; a Service with
an address of its own is a port from which connections go to the pods behind it.
"""

import asyncio
import os
import random
import signal
import socket
import struct
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import grpc
from deploy.manifests import Resource, pause_seconds, pod
from running import ROOT, free_port

_A, _IN = 1, 1
# Tests that run side by side have addresses of their own.
_NETWORK = 83 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


class Service(Protocol):
    """Knows which pods are ready and stay."""

    def change(self, name: str, *, add: str = "", remove: str = "") -> None:
        """Adds a ready pod to a Deployment, or takes one away that leaves."""


class OneAddress:
    """A Service with an address of its own: each connection goes to one of its pods.

    Args:
        pod_port: where the pods listen.
    """

    def __init__(self, pod_port: int) -> None:
        self._pod_port = pod_port
        self._pods: set[str] = set()
        self._server: asyncio.Server | None = None
        self.address = ""

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = "{}:{}".format(*self._server.sockets[0].getsockname())

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    def change(self, name: str, *, add: str = "", remove: str = "") -> None:  # noqa: ARG002
        self._pods = (self._pods | {add}) - {remove, ""}

    async def _connect(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        try:
            pod, to_pod = await asyncio.open_connection(
                random.choice(sorted(self._pods)), self._pod_port
            )
        except (OSError, IndexError):
            to_client.transport.abort()
            return
        await asyncio.gather(_pass_on(client, to_pod), _pass_on(pod, to_client))


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            target.write(data)
            await target.drain()
    target.close()


class NameServer(asyncio.DatagramProtocol):
    """Answers who is ready behind each name, ``lag_seconds`` late.

    Args:
        lag_seconds: how old the answers are.
    """

    def __init__(self, lag_seconds: float) -> None:
        self._lag = lag_seconds
        self._history: dict[str, list[tuple[float, frozenset[str]]]] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self.port = 0

    async def start(self) -> None:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def change(self, name: str, *, add: str = "", remove: str = "") -> None:
        history = self._history.setdefault(name, [])
        now = history[-1][1] if history else frozenset()
        # The first pods of a name have been there for long.
        since = time.monotonic() if history and history[0][0] else 0.0
        history.append((since, (now | {add}) - {remove, ""}))

    def settle(self) -> None:
        """From here on, changes are seen late."""
        for history in self._history.values():
            history[:] = [(1.0, history[-1][1])]

    def answer(self, name: str) -> frozenset[str] | None:
        """The addresses of a name, or None if there is no such name."""
        seen = [
            addresses
            for since, addresses in self._history.get(name, [])
            if since <= time.monotonic() - self._lag
        ]
        return seen[-1] if seen else None

    def datagram_received(self, data: bytes, sender: tuple[str | Any, int]) -> None:
        """RFC 1035: one question, all addresses in the answer."""
        number, _, _ = struct.unpack_from(">HHH", data)
        labels, end = [], 12
        while length := data[end]:
            labels.append(data[end + 1 : end + 1 + length].decode())
            end += 1 + length
        kind, _ = struct.unpack_from(">HH", data, end + 1)
        addresses = self.answer(".".join(labels).lower())
        found = sorted(addresses or ()) if kind == _A else []
        flags = 0x8180 if addresses is not None else 0x8183  # an answer, or no such name
        records = b"".join(
            struct.pack(">HHHIH", 0xC00C, _A, _IN, 30, 4) + socket.inet_aton(address)
            for address in found
        )
        header = struct.pack(">HHHHHH", number, flags, 1, len(found), 0, 0)
        assert self._transport is not None
        self._transport.sendto(header + data[12 : end + 5] + records, sender)


@dataclass
class Pod:
    """A running process and the address that it alone has."""

    address: str
    environment: dict[str, str]
    process: asyncio.subprocess.Process
    log: Path


@dataclass(frozen=True)
class Ended:
    """How a pod went: its exit code and how long after SIGTERM; negative codes are signals."""

    code: int
    seconds: float


class Deployment:
    """The pods of one Deployment.

    Args:
        manifest: the rendered Deployment.
        command: what a pod runs.
        service: gets the addresses of pods that are ready and stay.
        environment: what differs on this machine; ``{address}`` stands for the
            pod's own, ``{free_port}`` for a port of 127.0.0.1.
        folder: for logs.
    """

    _numbers: Iterator[int] = count(1)

    def __init__(
        self,
        manifest: Resource,
        command: Sequence[str],
        service: Service,
        environment: dict[str, str],
        folder: Path,
    ) -> None:
        self.name: str = manifest["metadata"]["name"]
        self._spec = manifest["spec"]
        (self._container,) = pod(manifest)["containers"]
        self._command = command
        self._service = service
        self._environment = environment
        self._folder = folder
        self.pods: list[Pod] = []
        strategy = self._spec["strategy"]["rollingUpdate"]
        assert strategy == {"maxSurge": 1, "maxUnavailable": 0}, "what roll() does"

    @property
    def pause_seconds(self) -> float:
        pause = pause_seconds(self._container)
        assert pause is not None
        return pause

    @property
    def grace_seconds(self) -> float:
        return float(self._spec["template"]["spec"]["terminationGracePeriodSeconds"])

    async def scale(self, replicas: int) -> None:
        """Starts pods until there are so many."""
        while len(self.pods) < replicas:
            await self._add()

    async def roll(self) -> list[Ended]:
        """Replaces every pod as a Deployment does: one more is started, and once it was ready
        for ``minReadySeconds`` one of the old leaves, which is not waited for."""
        leaving = []
        for old in list(self.pods):
            await self._add()
            await asyncio.sleep(self._spec.get("minReadySeconds", 0))
            self.pods.remove(old)
            leaving.append(asyncio.create_task(self._leave(old)))
        return list(await asyncio.gather(*leaving))

    async def _add(self) -> None:
        number = next(self._numbers)
        address = f"127.{_NETWORK}.{number // 250}.{number % 250 + 1}"
        log = self._folder / f"{self.name}-{number}.log"
        given = {e["name"]: e["value"] for e in self._container["env"]}
        given |= {
            k: v.format(address=address, free_port=free_port())
            for k, v in self._environment.items()
        }
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                *self._command, env=os.environ | given, cwd=ROOT, stdout=file, stderr=file
            )
        started = Pod(address, given, process, log)
        self.pods.append(started)
        await self._ready(started)
        self._service.change(self.name, add=address)

    async def _ready(self, started: Pod) -> None:
        """Asks as the startup probe does, until it succeeds."""
        probe = self._container["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            assert started.process.returncode is None, started.log.read_text()
            with suppress(grpc.aio.AioRpcError, OSError):
                await (self._asked_http if "httpGet" in probe else self._asked_grpc)(started)
                return
            await asyncio.sleep(probe["periodSeconds"])
        raise AssertionError(f"never ready: {started.log.read_text()}")

    async def _asked_grpc(self, started: Pod) -> None:
        name = self._container["startupProbe"]["grpc"]["service"].encode()
        port = started.environment[f"EMOTION_{self.name.upper()}_PORT"]
        async with grpc.aio.insecure_channel(f"{started.address}:{port}") as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            answer = await check(bytes([0x0A, len(name)]) + name, timeout=1)
        if answer != b"\x08\x01":
            raise OSError("not serving")

    async def _asked_http(self, started: Pod) -> None:
        path = self._container["startupProbe"]["httpGet"]["path"]
        port = started.environment[f"EMOTION_{self.name.upper()}_LISTEN_PORT"]
        url = f"http://{started.address}:{port}{path}"
        (await asyncio.to_thread(urllib.request.urlopen, url, timeout=1)).close()

    async def _leave(self, old: Pod) -> Ended:
        """What happens to a pod that is deleted; its grace period counts the hook's time, too."""
        self._service.change(self.name, remove=old.address)
        if self._container["lifecycle"]["preStop"]["exec"]["command"][-1] == "drain":
            hook = await asyncio.create_subprocess_exec(
                *self._command, "drain", env=os.environ | old.environment
            )
            assert await hook.wait() == 0
        else:
            await asyncio.sleep(self.pause_seconds)
        began = time.monotonic()
        old.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.grace_seconds - self.pause_seconds):
                code = await old.process.wait()
        except TimeoutError:
            old.process.kill()
            code = await old.process.wait()
        return Ended(code, time.monotonic() - began)

    async def remove(self) -> None:
        """Ends what is left, without ado."""
        for left in self.pods:
            with suppress(ProcessLookupError):
                left.process.kill()
            await left.process.wait()
