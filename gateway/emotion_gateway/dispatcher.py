"""Natural batching: while calls to the detector are in flight, the frames that arrive in all
sessions form the next batch. No timer, so no waiting while the service is idle; one frame a
session at a time, first come first served, so every session gets the same share.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from emotion.detector.v1 import detector_pb2
from emotion.v1 import emotion_pb2
from emotion_serving import Unavailable

from emotion_gateway.analysis import Analysis, Failure, Job, Source
from emotion_gateway.backends import CLASSES, ClassifierBackend, DetectorBackend

_log = logging.getLogger(__name__)

_CODES = {
    detector_pb2.IMAGE_ERROR_CODE_EMPTY: emotion_pb2.FRAME_ERROR_CODE_EMPTY_IMAGE,
    detector_pb2.IMAGE_ERROR_CODE_TOO_MANY_BYTES: emotion_pb2.FRAME_ERROR_CODE_TOO_MANY_BYTES,
    detector_pb2.IMAGE_ERROR_CODE_TOO_MANY_PIXELS: emotion_pb2.FRAME_ERROR_CODE_TOO_MANY_PIXELS,
    detector_pb2.IMAGE_ERROR_CODE_UNSUPPORTED_FORMAT: (
        emotion_pb2.FRAME_ERROR_CODE_UNSUPPORTED_FORMAT
    ),
    detector_pb2.IMAGE_ERROR_CODE_CORRUPT: emotion_pb2.FRAME_ERROR_CODE_CORRUPT_IMAGE,
}

_OUR_FAULT = Failure(
    emotion_pb2.FRAME_ERROR_CODE_INTERNAL,
    "a fault of the service, whose log tells more; send the next frame as usual",
)
_NO_SCORES = np.empty((0, CLASSES), np.float32)

_Batch = list[tuple[Source, Job]]


def now_us() -> int:
    """The gateway's clock: microseconds since an arbitrary moment, never running backwards."""
    return time.monotonic_ns() // 1000


class Dispatcher:
    """Takes the frames of all sources through the detector and the classifier.

    Args:
        detector: finds faces.
        classifier: scores faces.
        concurrency: batches that may be at the detector at once; its number of cores.
        max_batch: most pictures of a batch.
        max_batch_bytes: a batch takes no further picture once it has this many bytes.
        clock: microseconds, never running backwards.
    """

    def __init__(
        self,
        detector: DetectorBackend,
        classifier: ClassifierBackend,
        *,
        concurrency: int,
        max_batch: int,
        max_batch_bytes: int,
        clock: Callable[[], int] = now_us,
    ) -> None:
        self._detector = detector
        self._classifier = classifier
        self._free = concurrency
        self._max_batch = max_batch
        self._max_batch_bytes = max_batch_bytes
        self._clock = clock
        self._queue: deque[Source] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._in_work = 0

    @property
    def frames_in_flight(self) -> int:
        """Sessions with a frame that waits for its turn, and frames that are in work."""
        return len(self._queue) + self._in_work

    def offer(self, source: Source) -> None:
        """Queues a source that may have a picture; does nothing if it is queued or in work."""
        self._enqueue(source)
        self._start_batches()

    def _enqueue(self, source: Source) -> None:
        if not source.queued:
            source.queued = True
            self._queue.append(source)

    def _start_batches(self) -> None:
        while self._free and (batch := self._next_batch()):
            self._free -= 1
            self._in_work += len(batch)
            task = asyncio.create_task(self._run(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _next_batch(self) -> _Batch:
        """Takes pictures from the head of the queue: a fair part for each free slot."""
        limit = min(self._max_batch, -(-len(self._queue) // self._free))
        batch: _Batch = []
        size = 0
        while self._queue and len(batch) < limit and (not batch or size < self._max_batch_bytes):
            source = self._queue.popleft()
            job = source.take()
            if job is None:
                source.queued = False
                continue
            size += len(job.image)
            batch.append((source, job))
        return batch

    async def _run(self, batch: _Batch) -> None:
        started = self._clock()
        for _, job in batch:
            job.started_us = started
        outcomes: Sequence[Analysis | Failure]
        try:
            try:
                detections = await self._detect(batch)
            finally:
                self._free += 1
                self._start_batches()
            outcomes = await self._classify(detections)
        except Unavailable as error:
            failure = Failure(emotion_pb2.FRAME_ERROR_CODE_DETECTOR_UNAVAILABLE, str(error))
            outcomes = [failure] * len(batch)
        except Exception:
            _log.exception("batch failed")
            outcomes = [_OUR_FAULT] * len(batch)
        self._complete(batch, outcomes)

    def _complete(self, batch: _Batch, outcomes: Sequence[Analysis | Failure]) -> None:
        now = self._clock()
        self._in_work -= len(batch)
        for (source, job), outcome in zip(batch, outcomes, strict=True):
            source.queued = False
            try:
                source.complete(job, outcome, now)
            except Exception:
                _log.exception("reply failed")
                source.complete(job, _OUR_FAULT, now)
            self._enqueue(source)
        # Only now, so that what these sessions have waiting goes on as one batch.
        self._start_batches()

    async def _detect(self, batch: _Batch) -> Sequence[detector_pb2.Detection]:
        return await self._detector.detect([_image(job) for _, job in batch])

    async def _classify(
        self, detections: Sequence[detector_pb2.Detection]
    ) -> Sequence[Analysis | Failure]:
        """Scores all faces of a batch with one call and hands each picture its own."""
        chips = b"".join(detection.faces.chips for detection in detections)
        started = self._clock()
        scores: npt.NDArray[np.float32] | None = _NO_SCORES
        if chips:
            try:
                scores = await self._classifier.classify(chips)
            except Unavailable:
                scores = None
        classify_us = self._clock() - started
        outcomes: list[Analysis | Failure] = []
        first = 0
        for detection in detections:
            if detection.WhichOneof("outcome") != "faces":
                outcomes.append(_failure(detection.error))
                continue
            last = first + len(detection.faces.faces)
            outcomes.append(
                Analysis(
                    detection.faces,
                    scores[first:last] if scores is not None else None,
                    detection.decode_us,
                    detection.detect_us,
                    classify_us if last > first else 0,
                )
            )
            first = last
        return outcomes


def _image(job: Job) -> detector_pb2.Image:
    image = detector_pb2.Image(data=job.image, max_faces=job.max_faces, min_score=job.min_score)
    if job.expected is not None:
        image.known_faces.SetInParent()
        for x, y, width, height in job.expected:
            image.known_faces.faces.add(x=x, y=y, width=width, height=height)
    return image


def _failure(error: detector_pb2.ImageError) -> Failure:
    return Failure(_CODES.get(error.code, emotion_pb2.FRAME_ERROR_CODE_INTERNAL), error.message)
