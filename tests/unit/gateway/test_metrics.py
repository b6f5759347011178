"""What the metrics port says of the gateway's load."""

import asyncio

import grpc
import pytest
from emotion_gateway.analysis import Analysis, Failure, Job
from emotion_gateway.backends import ClassifierBackend, DetectorBackend, open_channel
from emotion_gateway.dispatcher import Dispatcher
from emotion_gateway.metrics import MetricsServer


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    return answer


async def test_each_gauge_is_read_when_it_is_asked_for() -> None:
    values = iter([3, 4.5])
    server = MetricsServer([("oven_loaves", "Loaves now.", lambda: next(values))])
    port = await server.start("127.0.0.1", 0)
    try:
        head, _, body = (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"Content-Length: %d" % len(body) in head
        assert body == b"# HELP oven_loaves Loaves now.\n# TYPE oven_loaves gauge\noven_loaves 3\n"
        assert (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(b"oven_loaves 4.5\n")
    finally:
        await server.stop()


@pytest.mark.parametrize(
    "request_", [b"GET / HTTP/1.1\r\n\r\n", b"POST /metrics HTTP/1.1\r\n\r\n", b"\r\n\r\n"]
)
async def test_there_is_nothing_else_to_ask_for(request_: bytes) -> None:
    server = MetricsServer([])
    port = await server.start("127.0.0.1", 0)
    try:
        assert (await ask(port, request_)).startswith(b"HTTP/1.1 404 ")
    finally:
        await server.stop()


async def test_a_head_that_is_too_long_is_not_answered() -> None:
    server = MetricsServer([])
    port = await server.start("127.0.0.1", 0)
    try:
        assert await ask(port, b"GET /metrics HTTP/1.1\r\n" + b"x" * 20_000) == b""
    except ConnectionResetError:
        pass
    finally:
        await server.stop()


async def test_frames_in_flight_are_those_that_wait_and_those_in_work() -> None:
    """Two sources, one slot, and a detector that answers when it is told to."""
    release = asyncio.Event()

    async def detect(request: bytes, context: grpc.aio.ServicerContext) -> bytes:  # noqa: ARG001
        await release.wait()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "as told")
        raise AssertionError

    class Frame:
        queued = False

        def __init__(self) -> None:
            self.job: Job | None = Job(b"x", max_faces=1, min_score=0.5, arrived_us=0)
            self.done = asyncio.Event()

        def take(self) -> Job | None:
            job, self.job = self.job, None
            return job

        def complete(self, job: Job, outcome: Analysis | Failure, now_us: int) -> None:  # noqa: ARG002
            self.done.set()

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(detect)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "emotion.detector.v1.FaceDetectorService", {"Detect": handler}
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = open_channel(f"127.0.0.1:{port}", 1 << 20)
    dispatcher = Dispatcher(
        DetectorBackend([channel], 10.0),
        ClassifierBackend(channel, 10.0, "emotion"),
        concurrency=1,
        max_batch=4,
        max_batch_bytes=1 << 20,
    )
    assert dispatcher.frames_in_flight == 0
    frames = [Frame(), Frame(), Frame()]
    for frame in frames:
        dispatcher.offer(frame)
    assert dispatcher.frames_in_flight == 3
    release.set()
    async with asyncio.timeout(10):
        for frame in frames:
            await frame.done.wait()
    assert dispatcher.frames_in_flight == 0
    await channel.close()
    await server.stop(None)
