"""One name with several addresses: every pod gets its share, new ones too, and none is lost.

The addresses are given to the gateway's own channel as a headless Service's name gives them:
as a list.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import grpc
import pytest
from emotion.detector.v1 import detector_pb2, detector_pb2_grpc
from emotion_detector.service import FaceDetectorServicer
from emotion_gateway.backends import DetectorBackend, open_channel
from emotion_serving import GrpcServer, GrpcSettings, Unavailable
from running import free_port


class CountingDetector(FaceDetectorServicer):
    """Finds no faces, and counts who asks."""

    def __init__(self) -> None:
        super().__init__(detector=None, threads=1, max_batch=64)  # type: ignore[arg-type]
        self.calls = 0
        self.peers: set[str] = set()

    async def DetectStream(  # type: ignore[override]  # noqa: N802
        self,
        request_iterator: AsyncIterator[detector_pb2.DetectStreamRequest],
        context: grpc.aio.ServicerContext,
    ) -> None:
        self.peers.add(context.peer())
        await super().DetectStream(request_iterator, context)

    async def _detect_all(
        self, images: Sequence[detector_pb2.Image]
    ) -> Sequence[detector_pb2.Detection]:
        self.calls += 1
        await asyncio.sleep(0.002)
        return [detector_pb2.Detection(faces=detector_pb2.DetectedFaces()) for _ in images]


class Pod:
    """A detector that can be started and drained, as Kubernetes does."""

    def __init__(self, port: int, connection_age_seconds: float = 0.0) -> None:
        self.address = f"127.0.0.1:{port}"
        self.detector = CountingDetector()
        self._server = GrpcServer(
            GrpcSettings(port=port, max_connection_age_seconds=connection_age_seconds), []
        )
        detector_pb2_grpc.add_FaceDetectorServiceServicer_to_server(self.detector, self._server)

    async def start(self) -> None:
        await self._server.start()
        await self._server.set_serving(True)

    async def drain(self) -> None:
        await self._server.drain(self.detector.end_streams)


@asynccontextmanager
async def pods(count: int, connection_age_seconds: float = 0.0) -> AsyncIterator[list[Pod]]:
    async with AsyncExitStack() as stack:
        started = [Pod(free_port(), connection_age_seconds) for _ in range(count)]
        for pod in started:
            await pod.start()
            stack.push_async_callback(pod.drain)
        yield started


@asynccontextmanager
async def gateway(
    addresses: list[str], stream_seconds: float = 0.0
) -> AsyncIterator[DetectorBackend]:
    """Unless told otherwise every batch has a stream of its own: a second's turns in no time."""
    channel = open_channel(f"ipv4:///{','.join(addresses)}", 1 << 20)
    try:
        yield DetectorBackend([channel], deadline_seconds=2.0, stream_seconds=stream_seconds)
    finally:
        await channel.close()


PICTURE = [detector_pb2.Image(data=b"a picture")]


async def all_reached(backend: DetectorBackend, waited_for: list[Pod]) -> None:
    async with asyncio.timeout(20):
        while not all(pod.detector.calls for pod in waited_for):
            await backend.detect(PICTURE)
    for pod in waited_for:
        pod.detector.calls = 0


@pytest.mark.parametrize("count", [2, 3])
async def test_calls_are_spread_evenly(count: int) -> None:
    async with pods(count) as started, gateway([p.address for p in started]) as backend:
        await all_reached(backend, started)
        for _ in range(20 * count):
            await backend.detect(PICTURE)
        # A wake-up of the balancer in between can begin the round anew.
        assert all(abs(pod.detector.calls - 20) <= 2 for pod in started)


async def test_streams_go_to_one_pod_after_the_other() -> None:
    async with (
        pods(2) as started,
        gateway([p.address for p in started], stream_seconds=0.1) as backend,
    ):
        await all_reached(backend, started)
        ends = asyncio.get_running_loop().time() + 2
        while asyncio.get_running_loop().time() < ends:
            await backend.detect(PICTURE)
        shares = [pod.detector.calls for pod in started]
        assert min(shares) >= 0.3 * sum(shares)


async def test_many_gateways_do_not_all_begin_at_the_same_pod() -> None:
    """Each takes turns; over many channels with one call each no pod gets everything."""
    async with pods(2) as started, AsyncExitStack() as stack:
        addresses = [p.address for p in started]
        backends = [await stack.enter_async_context(gateway(addresses)) for _ in range(16)]
        for backend in backends:
            await all_reached(backend, started)
        for _ in range(5):
            await asyncio.gather(*(backend.detect(PICTURE) for backend in backends))
        shares = Counter({pod.address: pod.detector.calls for pod in started})
        assert min(shares.values()) >= 0.3 * shares.total()


@pytest.mark.parametrize("stream_seconds", [0.0, 0.5])
async def test_a_pod_that_drains_loses_no_call_and_the_others_take_over(
    stream_seconds: float,
) -> None:
    async with (
        pods(2) as (leaving, staying),
        gateway([leaving.address, staying.address], stream_seconds) as backend,
    ):
        await all_reached(backend, [leaving, staying])
        draining = asyncio.Event()

        async def client() -> int:
            answered = 0
            while not draining.is_set() or answered < 20:
                await backend.detect(PICTURE)
                answered += 1
            return answered

        clients = [asyncio.create_task(client()) for _ in range(4)]
        await asyncio.sleep(0.2)
        await leaving.drain()
        before = staying.detector.calls
        draining.set()
        await asyncio.gather(*clients)
        await backend.detect(PICTURE)
        assert staying.detector.calls > before


async def test_a_pod_that_comes_gets_its_share() -> None:
    later = Pod(free_port())
    async with pods(1) as (first,), gateway([first.address, later.address]) as backend:
        await all_reached(backend, [first])
        await later.start()
        try:
            await all_reached(backend, [first, later])
            for _ in range(40):
                await backend.detect(PICTURE)
            assert abs(later.detector.calls - 20) <= 2
        finally:
            await later.drain()


async def test_connections_that_come_of_age_lose_no_call() -> None:
    async with (
        pods(2, connection_age_seconds=0.3) as started,
        gateway([p.address for p in started]) as backend,
        asyncio.timeout(30),
    ):
        while min(len(pod.detector.peers) for pod in started) < 3:
            await asyncio.gather(*(backend.detect(PICTURE) for _ in range(8)))


async def test_with_every_pod_gone_it_is_told_at_once_and_heals() -> None:
    port = free_port()
    pod = Pod(port)
    await pod.start()
    async with gateway([pod.address]) as backend:
        await backend.detect(PICTURE)
        await pod.drain()
        with pytest.raises(Unavailable):
            await backend.detect(PICTURE)
        again = Pod(port)
        await again.start()
        try:
            async with asyncio.timeout(10):
                while not again.detector.calls:
                    try:
                        await backend.detect(PICTURE)
                    except Unavailable:
                        await asyncio.sleep(0.05)
        finally:
            await again.drain()
