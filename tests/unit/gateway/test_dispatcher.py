"""Natural batching, fair to every session, whatever the backends do."""

import asyncio
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from emotion.detector.v1 import detector_pb2
from emotion.v1 import emotion_pb2
from emotion_gateway.analysis import Analysis, Failure, Job
from emotion_gateway.dispatcher import Dispatcher
from emotion_serving import Unavailable
from unit.gateway.pictures import answer, box_of, picture, score_of, scores, shade_of


class HeldDetector:
    """A detector whose batches wait until they are let go."""

    def __init__(self) -> None:
        self.batches: list[list[bytes]] = []
        self.gates: list[asyncio.Future[BaseException | None]] = []

    async def detect(
        self, images: Sequence[detector_pb2.Image]
    ) -> Sequence[detector_pb2.Detection]:
        gate: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.batches.append([image.data for image in images])
        self.gates.append(gate)
        if error := await gate:
            raise error
        return [answer(image) for image in images]

    async def let_go(self, batch: int, error: BaseException | None = None) -> None:
        self.gates[batch].set_result(error)
        await settle()


class Classifier:
    """A truthful classifier that fails if told so."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0

    async def classify(self, chips: bytes) -> npt.NDArray[np.float32]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return scores(*chips[:: 48 * 48])


class Camera:
    """A source that keeps only its newest picture."""

    def __init__(self, fail_on_completion: bool = False) -> None:
        self.queued = False
        self.waiting: bytes | None = None
        self.in_work: Job | None = None
        self.outcomes: list[tuple[bytes, Analysis | Failure]] = []
        self.fails = fail_on_completion

    def take(self) -> Job | None:
        assert self.in_work is None
        if self.waiting is None:
            return None
        self.in_work, self.waiting = Job(self.waiting, 20, 0.5, 0), None
        return self.in_work

    def complete(self, job: Job, outcome: Analysis | Failure, now_us: int) -> None:  # noqa: ARG002
        assert job is self.in_work
        if self.fails and isinstance(outcome, Analysis):
            raise RuntimeError("a fault of one session")
        self.in_work = None
        self.outcomes.append((job.image, outcome))

    def codes(self) -> list[int]:
        return [outcome.code for _, outcome in self.outcomes if isinstance(outcome, Failure)]


class Rig:
    """A dispatcher between cameras and held backends."""

    def __init__(
        self, concurrency: int = 1, max_batch: int = 16, max_batch_bytes: int = 1 << 20
    ) -> None:
        self.detector = HeldDetector()
        self.classifier = Classifier()
        self.dispatcher = Dispatcher(
            self.detector,  # type: ignore[arg-type]
            self.classifier,  # type: ignore[arg-type]
            concurrency=concurrency,
            max_batch=max_batch,
            max_batch_bytes=max_batch_bytes,
        )

    def shoot(self, camera: Camera, image: bytes | int) -> None:
        camera.waiting = picture(image) if isinstance(image, int) else image
        self.dispatcher.offer(camera)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_while_a_batch_is_in_flight_all_arrivals_form_the_next() -> None:
    rig = Rig()
    cameras = [Camera() for _ in range(6)]
    rig.shoot(cameras[0], 0)
    await settle()
    for i, camera in enumerate(cameras[1:], start=1):
        rig.shoot(camera, i)
        await settle()
    assert rig.detector.batches == [[picture(0)]]
    await rig.detector.let_go(0)
    assert rig.detector.batches[1:] == [[picture(i) for i in range(1, 6)]]
    await rig.detector.let_go(1)
    assert rig.classifier.calls == 2, "one call for all faces of a batch"
    for i, camera in enumerate(cameras):
        [(image, outcome)] = camera.outcomes
        assert image == picture(i)
        assert isinstance(outcome, Analysis)
        assert (outcome.faces.faces[0].x, outcome.faces.faces[0].y) == box_of(i)[:2]
        assert outcome.probabilities is not None
        assert outcome.probabilities[0, 0] == score_of(shade_of(i))


@pytest.mark.parametrize("concurrency", [1, 2, 3])
async def test_no_more_batches_are_at_the_detector_than_it_has_cores(concurrency: int) -> None:
    rig = Rig(concurrency, max_batch=1)
    cameras = [Camera() for _ in range(12)]
    for i, camera in enumerate(cameras):
        rig.shoot(camera, i)
    await settle()
    for done in range(12):
        assert len(rig.detector.batches) == min(12, concurrency + done)
        await rig.detector.let_go(done)
    assert all(len(camera.outcomes) == 1 for camera in cameras)


async def test_the_detector_gets_the_next_batch_while_the_classifier_works() -> None:
    rig = Rig()
    release = asyncio.Event()

    async def classify(chips: bytes) -> npt.NDArray[np.float32]:
        await release.wait()
        return scores(*chips[:: 48 * 48])

    rig.classifier.classify = classify  # type: ignore[method-assign]
    first, second = Camera(), Camera()
    rig.shoot(first, 1)
    await settle()
    rig.shoot(second, 2)
    await rig.detector.let_go(0)
    assert len(rig.detector.batches) == 2
    assert first.outcomes == []
    release.set()
    await settle()
    assert len(first.outcomes) == 1


async def test_a_batch_has_at_most_max_batch_pictures() -> None:
    rig = Rig(max_batch=3)
    for i in range(8):
        rig.shoot(Camera(), i)
    await settle()
    for batch in range(4):
        await rig.detector.let_go(batch)
    assert [len(batch) for batch in rig.detector.batches] == [1, 3, 3, 1]


async def test_a_batch_takes_no_further_picture_over_the_byte_limit() -> None:
    rig = Rig(max_batch_bytes=1000)
    rig.shoot(Camera(), 0)
    await settle()
    for _ in range(5):
        rig.shoot(Camera(), b"x" * 600)
    for batch in range(4):
        await rig.detector.let_go(batch)
    assert [len(batch) for batch in rig.detector.batches] == [1, 2, 2, 1]


async def test_a_picture_above_the_batch_limit_goes_alone() -> None:
    rig = Rig(max_batch_bytes=0)
    camera = Camera()
    rig.shoot(camera, b"x" * 2000)
    await settle()
    await rig.detector.let_go(0)
    assert len(camera.outcomes) == 1


async def test_waiting_pictures_are_shared_fairly_among_free_slots() -> None:
    rig = Rig(concurrency=2)
    busy = [Camera(), Camera()]
    for i, camera in enumerate(busy):
        rig.shoot(camera, i)
    await settle()
    for i in range(2, 8):
        rig.shoot(Camera(), i)
    await rig.detector.let_go(0)
    assert [len(batch) for batch in rig.detector.batches] == [1, 1, 6]


async def test_sessions_that_are_done_together_go_on_together() -> None:
    """Their next frames are one batch, not one for the first and one for the rest."""
    rig = Rig(concurrency=2)
    cameras = [Camera() for _ in range(4)]
    rig.shoot(cameras[0], 0)
    rig.shoot(Camera(), 1)
    await settle()
    for i, camera in enumerate(cameras[1:], start=2):
        rig.shoot(camera, i)
    await rig.detector.let_go(1)
    await rig.detector.let_go(0)
    assert [len(batch) for batch in rig.detector.batches] == [1, 1, 3]
    for i, camera in enumerate(cameras[1:], start=10):
        rig.shoot(camera, i)
    await rig.detector.let_go(2)
    assert sorted(len(batch) for batch in rig.detector.batches[3:]) == [1, 2]


async def test_a_session_that_floods_does_not_push_others_back() -> None:
    rig = Rig(max_batch=1)
    greedy, modest = Camera(), Camera()
    rig.shoot(greedy, 0)
    await settle()
    rig.shoot(modest, 1)
    for seed in range(2, 50):
        rig.shoot(greedy, seed)
    await rig.detector.let_go(0)
    rig.shoot(greedy, 50)
    assert rig.detector.batches == [[picture(0)], [picture(1)]]
    await rig.detector.let_go(1)
    assert rig.detector.batches[2] == [picture(50)]


async def test_while_the_detector_is_away_each_frame_gets_an_error_and_the_next_batch_goes_on() -> (
    None
):
    rig = Rig()
    cameras = [Camera() for _ in range(3)]
    rig.shoot(Camera(), 9)
    await settle()
    for i, camera in enumerate(cameras):
        rig.shoot(camera, i)
    await rig.detector.let_go(0)
    await rig.detector.let_go(1, Unavailable("the face detector is away"))
    for camera in cameras:
        assert camera.codes() == [emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE]
    rig.shoot(cameras[0], 3)
    await settle()
    await rig.detector.let_go(2)
    assert isinstance(cameras[0].outcomes[-1][1], Analysis)


async def test_while_the_classifier_is_away_faces_come_unclassified() -> None:
    rig = Rig()
    camera = Camera()
    rig.classifier.error = Unavailable("away")
    rig.shoot(camera, 1)
    await settle()
    await rig.detector.let_go(0)
    [(_, outcome)] = camera.outcomes
    assert isinstance(outcome, Analysis)
    assert len(outcome.faces.faces) == 1
    assert outcome.probabilities is None


@pytest.mark.parametrize("where", ["detector", "classifier"])
async def test_an_unexpected_fault_costs_its_own_frames_only(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    camera = Camera()
    if where == "classifier":
        rig.classifier.error = ZeroDivisionError()
    rig.shoot(camera, 1)
    await settle()
    await rig.detector.let_go(0, ZeroDivisionError() if where == "detector" else None)
    assert camera.codes() == [emotion_pb2.FRAME_ERROR_CODE_INTERNAL]
    assert "batch failed" in caplog.text
    rig.classifier.error = None
    rig.shoot(camera, 2)
    await settle()
    await rig.detector.let_go(1)
    assert isinstance(camera.outcomes[-1][1], Analysis)


async def test_a_fault_of_one_session_does_not_keep_the_others_from_their_answers() -> None:
    rig = Rig()
    rig.shoot(Camera(), 0)
    await settle()
    cameras = [Camera(), Camera(fail_on_completion=True), Camera()]
    for i, camera in enumerate(cameras, start=1):
        rig.shoot(camera, i)
    await rig.detector.let_go(0)
    await rig.detector.let_go(1)
    assert [camera.codes() for camera in cameras] == [
        [],
        [emotion_pb2.FRAME_ERROR_CODE_INTERNAL],
        [],
    ]
    assert all(len(camera.outcomes) == 1 for camera in cameras)
    rig.shoot(cameras[1], 5)
    await settle()
    assert rig.detector.batches[-1] == [picture(5)], "nor is that session stuck"


async def test_a_bad_picture_does_not_shift_the_scores_of_its_neighbours() -> None:
    rig = Rig()
    rig.shoot(Camera(), 0)
    await settle()
    cameras = [Camera() for _ in range(5)]
    for i, camera in enumerate(cameras, start=1):
        rig.shoot(camera, b"damaged" if i % 2 == 0 else picture(i))
    await rig.detector.let_go(0)
    await rig.detector.let_go(1)
    for i, camera in enumerate(cameras, start=1):
        [(_, outcome)] = camera.outcomes
        if i % 2 == 0:
            assert camera.codes() == [emotion_pb2.FRAME_ERROR_CODE_CORRUPT_IMAGE]
        else:
            assert isinstance(outcome, Analysis)
            assert outcome.probabilities is not None
            assert outcome.probabilities[0, 0] == score_of(shade_of(i))
