"""The servicer answers each picture of a batch on its own, in order."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import closing

import grpc
import numpy as np
import numpy.typing as npt
import pytest
from emotion.detector.v1 import detector_pb2, detector_pb2_grpc
from emotion_detector.detector import Analysis, FaceDetector
from emotion_detector.network import Network
from emotion_detector.picture import Limits
from emotion_detector.service import FaceDetectorServicer
from emotion_detector.settings import PACKAGED_MODEL, DetectorSettings
from emotion_serving import GrpcServer
from unit.detector import pictures

FAULTY = b"faulty"
SLOW = b"slow"
INVALID = grpc.StatusCode.INVALID_ARGUMENT

Stub = detector_pb2_grpc.FaceDetectorServiceStub


class DetectorWithAFault(FaceDetector):
    """Breaks down at one picture, waits at another, and notes what it was asked for."""

    def __init__(self) -> None:
        super().__init__(Network(PACKAGED_MODEL, 320), Limits())
        self.asked: list[tuple[float, int]] = []
        self.threads: list[str] = []
        self.entered, self.go_on = threading.Event(), threading.Event()

    def analyse(
        self,
        data: bytes,
        min_score: float,
        max_faces: int,
        expected: npt.NDArray[np.float32] | None = None,
    ) -> Analysis:
        self.threads.append(threading.current_thread().name)
        if data == FAULTY:
            raise ZeroDivisionError("for the test")
        if data == SLOW:
            self.entered.set()
            self.go_on.wait(10)
        self.asked.append((min_score, max_faces))
        return super().analyse(data, min_score, max_faces, expected)


@pytest.fixture(scope="module")
def detector() -> DetectorWithAFault:
    return DetectorWithAFault()


@pytest.fixture
async def stub(detector: DetectorWithAFault) -> AsyncIterator[Stub]:
    with closing(FaceDetectorServicer(detector, threads=2, max_batch=4)) as servicer:
        server = GrpcServer(DetectorSettings(port=0), [])
        detector_pb2_grpc.add_FaceDetectorServiceServicer_to_server(servicer, server)
        port = await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Stub(channel)
        await server.stop()


def request(*files: bytes, **options: float) -> detector_pb2.DetectRequest:
    return detector_pb2.DetectRequest(
        images=[detector_pb2.Image(data=data, **options) for data in files]
    )


def batch_of(*files: bytes) -> detector_pb2.DetectStreamRequest:
    return detector_pb2.DetectStreamRequest(images=request(*files).images)


async def test_an_unexpected_fault_is_the_error_of_its_picture_alone(
    stub: Stub, caplog: pytest.LogCaptureFixture
) -> None:
    good = pictures.file(pictures.astronaut())
    with caplog.at_level(logging.ERROR):
        response = await stub.Detect(request(good, FAULTY, good))
    assert [len(d.faces.faces) for d in response.detections] == [1, 0, 1]
    error = response.detections[1].error
    assert error.code == detector_pb2.IMAGE_ERROR_CODE_INTERNAL
    assert "for the test" not in error.message
    assert "for the test" in caplog.text


@pytest.mark.parametrize(
    ("min_score", "max_faces", "expected"),
    [(0, 0, (0.5, 20)), (0.75, 3, (0.75, 3)), (0.001, 1, (0.05, 1)), (-1, 1, (0.05, 1))],
)
async def test_zero_means_the_documented_default(
    stub: Stub,
    detector: DetectorWithAFault,
    min_score: float,
    max_faces: int,
    expected: tuple[float, int],
) -> None:
    data = pictures.file(pictures.astronaut()[:8, :8])
    detector.asked.clear()
    await stub.Detect(request(data, min_score=min_score, max_faces=max_faces))
    assert detector.asked == [expected]


@pytest.mark.parametrize("min_score", [1.5, float("nan")])
async def test_a_score_that_no_face_can_have_finds_none(stub: Stub, min_score: float) -> None:
    data = pictures.file(pictures.astronaut())
    response = await stub.Detect(request(data, min_score=min_score))
    assert response.detections[0].HasField("faces")
    assert len(response.detections[0].faces.faces) == 0


@pytest.mark.parametrize("count", [0, 5])
async def test_a_batch_out_of_range_is_refused(stub: Stub, count: int) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Detect(request(*[b"x"] * count))
    assert caught.value.code() is INVALID
    assert caught.value.details() == f"request has {count} images; 1 to 4 are expected"


async def test_a_stream_answers_batch_after_batch(stub: Stub) -> None:
    good = pictures.file(pictures.astronaut())
    call = stub.DetectStream()
    for batch, expected in (((good, FAULTY), [1, 0]), ((b"x",), [0]), ((good,), [1])):
        await call.write(batch_of(*batch))
        answered = await call.read()
        assert [len(d.faces.faces) for d in answered.detections] == expected
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_a_batch_out_of_range_ends_its_stream_alone(stub: Stub) -> None:
    other = stub.DetectStream()
    call = stub.DetectStream()
    await call.write(batch_of())
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is INVALID
    assert caught.value.details() == "request has 0 images; 1 to 4 are expected"
    await other.write(batch_of(b"x"))
    assert len((await other.read()).detections) == 1


async def test_streams_end_when_the_server_drains(detector: DetectorWithAFault) -> None:
    """At once where nothing is in work, after the answer where something is."""
    with closing(FaceDetectorServicer(detector, threads=1, max_batch=4)) as servicer:
        server = GrpcServer(DetectorSettings(port=0, drain_seconds=30), [])
        detector_pb2_grpc.add_FaceDetectorServiceServicer_to_server(servicer, server)
        port = await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel, asyncio.timeout(10):
            idle, busy = Stub(channel).DetectStream(), Stub(channel).DetectStream()
            await idle.write(batch_of(b"x"))
            assert len((await idle.read()).detections) == 1
            await busy.write(batch_of(SLOW, b"x"))
            assert await asyncio.to_thread(detector.entered.wait, 10)
            draining = asyncio.create_task(server.drain(servicer.end_streams))
            assert await idle.read() is grpc.aio.EOF
            detector.go_on.set()
            assert len((await busy.read()).detections) == 2
            assert await busy.read() is grpc.aio.EOF
            await draining


async def test_only_a_small_picture_alone_is_analysed_on_the_event_loop(
    detector: DetectorWithAFault, stub: Stub
) -> None:
    detector.threads.clear()
    await stub.Detect(request(b"alone"))
    await stub.Detect(request(b"of", b"two"))
    await stub.Detect(request(bytes(200_000)))
    here = threading.current_thread().name
    assert [name == here for name in detector.threads] == [True, False, False, False]

    detector.entered.clear()
    detector.go_on.clear()
    slow = asyncio.ensure_future(stub.Detect(request(SLOW, b"x")))
    assert await asyncio.to_thread(detector.entered.wait, 10)
    detector.threads.clear()
    await asyncio.wait_for(stub.Detect(request(b"beside")), 10)
    detector.go_on.set()
    await slow
    assert here not in detector.threads


async def test_a_cancelled_call_stops_after_the_picture_it_is_at(
    detector: DetectorWithAFault,
) -> None:
    detector.threads.clear()
    detector.entered.clear()
    detector.go_on.clear()
    with closing(FaceDetectorServicer(detector, threads=1, max_batch=4)) as servicer:
        call = asyncio.ensure_future(servicer.Detect(request(SLOW, b"x", b"x"), None))  # type: ignore[arg-type]
        assert await asyncio.to_thread(detector.entered.wait, 10)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        detector.go_on.set()
    assert len(detector.threads) == 1


async def test_known_faces_say_where_to_look(detector: DetectorWithAFault) -> None:
    data = pictures.file(pictures.astronaut())
    left, upper, width, height = pictures.FACE_BOX
    here = detector_pb2.ExpectedFace(x=left, y=upper, width=width, height=height)
    nonsense = detector_pb2.ExpectedFace(x=float("nan"), y=0, width=-1, height=0)
    with closing(FaceDetectorServicer(detector, threads=1, max_batch=4)) as servicer:

        def count(known: list[detector_pb2.ExpectedFace]) -> int:
            image = detector_pb2.Image(data=data, known_faces=detector_pb2.KnownFaces(faces=known))
            return len(servicer.detect(image).faces.faces)

        assert count([here]) == 1
        assert count([nonsense, here]) == 1
        assert count([nonsense]) == 0
        assert count([]) == 0
