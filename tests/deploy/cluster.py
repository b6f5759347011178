"""Enough of a cluster to roll Deployments of our manifests on one machine.

Pods are processes, each on a loopback address of its own, with the environment, probes, hooks and
grace periods of the manifests. Their names are served by a real name server that may lag behind,
as those of clusters do, which remember answers for up to 30 s.
"""

import asyncio
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import grpc
from deploy.manifests import Resource, pause_seconds, pod
from running import ROOT

_A, _IN = 1, 1


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
        """Adds a ready pod to a name, or takes one away that leaves."""
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
        names: gets the addresses of pods that are ready and stay.
        environment: what differs on this machine; ``{address}`` stands for the pod's own.
        folder: for logs.
    """

    _numbers: Iterator[int] = count(1)

    def __init__(
        self, manifest: Resource, names: NameServer, environment: dict[str, str], folder: Path
    ) -> None:
        self.name: str = manifest["metadata"]["name"]
        self._spec = manifest["spec"]
        (self._container,) = pod(manifest)["containers"]
        self._names = names
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
        address = f"127.83.{number // 250}.{number % 250 + 1}"
        log = self._folder / f"{self.name}-{number}.log"
        given = {e["name"]: e["value"] for e in self._container["env"]}
        given |= {k: v.format(address=address) for k, v in self._environment.items()}
        with log.open("wb") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                f"emotion_{self.name}",
                env=os.environ | given,
                cwd=ROOT,
                stdout=file,
                stderr=file,
            )
        started = Pod(address, process, log)
        self.pods.append(started)
        await self._ready(started, int(given[f"EMOTION_{self.name.upper()}_PORT"]))
        self._names.change(self.name, add=address)

    async def _ready(self, started: Pod, port: int) -> None:
        """Asks as the startup probe does, until it succeeds."""
        probe = self._container["startupProbe"]
        service = probe["grpc"]["service"].encode()
        request = bytes([0x0A, len(service)]) + service
        async with grpc.aio.insecure_channel(
            f"{started.address}:{port}", options=[("grpc.max_reconnect_backoff_ms", 200)]
        ) as channel:
            check = channel.unary_unary("/grpc.health.v1.Health/Check")
            for _ in range(probe["failureThreshold"]):
                assert started.process.returncode is None, started.log.read_text()
                with suppress(grpc.aio.AioRpcError):
                    if await check(request, timeout=probe.get("timeoutSeconds", 1)) == b"\x08\x01":
                        return
                await asyncio.sleep(probe["periodSeconds"])
        raise AssertionError(f"never ready: {started.log.read_text()}")

    async def _leave(self, old: Pod) -> Ended:
        """What happens to a pod that is deleted; its grace period counts the hook's time, too."""
        self._names.change(self.name, remove=old.address)
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
