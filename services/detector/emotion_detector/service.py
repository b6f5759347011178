"""The gRPC servicer: shares batches out between threads and answers in order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import numpy.typing as npt
from emotion.detector.v1 import detector_pb2, detector_pb2_grpc
from emotion_serving import InvalidArgument

from emotion_detector.detector import Analysis, FaceDetector
from emotion_detector.picture import Fault, PictureError

_log = logging.getLogger(__name__)

_DEFAULT_MAX_FACES = 20
_DEFAULT_MIN_SCORE = 0.5
_MOST_EXPECTED = 100
_LOWEST_MIN_SCORE = 0.05  # below it, nearly every cell of the network is a candidate
_SMALL_IMAGE_BYTES = 128 * 1024  # a camera's frame; decoding more may hold up the event loop

_CODES = {
    Fault.EMPTY: detector_pb2.IMAGE_ERROR_CODE_EMPTY,
    Fault.TOO_MANY_BYTES: detector_pb2.IMAGE_ERROR_CODE_TOO_MANY_BYTES,
    Fault.TOO_MANY_PIXELS: detector_pb2.IMAGE_ERROR_CODE_TOO_MANY_PIXELS,
    Fault.UNSUPPORTED_FORMAT: detector_pb2.IMAGE_ERROR_CODE_UNSUPPORTED_FORMAT,
    Fault.CORRUPT: detector_pb2.IMAGE_ERROR_CODE_CORRUPT,
}


class FaceDetectorServicer(detector_pb2_grpc.FaceDetectorServiceServicer):
    """Answers ``Detect`` and ``DetectStream``.

    Args:
        detector: analyses one picture; called from several threads.
        threads: how many pictures are analysed at once.
        max_batch: most pictures of a request.
    """

    def __init__(self, detector: FaceDetector, threads: int, max_batch: int) -> None:
        self._detector = detector
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="detect")
        self._max_batch = max_batch
        self._running = 0
        self._waiting: set[asyncio.Task[None] | None] = set()
        self._ending = False

    async def Detect(  # noqa: N802
        self, request: detector_pb2.DetectRequest, context: grpc.aio.ServicerContext
    ) -> detector_pb2.DetectResponse:
        """Analyses the pictures of a batch, each on its own.

        Raises:
            InvalidArgument: the batch is empty or too large.
        """
        del context
        return detector_pb2.DetectResponse(detections=await self._detect_all(request.images))

    async def DetectStream(  # type: ignore[override]  # noqa: N802
        self,
        request_iterator: AsyncIterator[detector_pb2.DetectStreamRequest],
        context: grpc.aio.ServicerContext,
    ) -> None:
        """Answers batch after batch until the caller has no more, or ``end_streams``.

        Raises:
            InvalidArgument: a batch is empty or too large.
        """
        del request_iterator
        task = asyncio.current_task()
        while not self._ending:
            self._waiting.add(task)
            try:
                request = await context.read()
            except asyncio.CancelledError:
                if self._ending:
                    return
                raise
            finally:
                self._waiting.discard(task)
            if request is grpc.aio.EOF:
                return
            detections = await self._detect_all(request.images)
            await context.write(detector_pb2.DetectStreamResponse(detections=detections))

    def close(self) -> None:
        """Waits for what runs and ends the threads."""
        self._pool.shutdown()

    def end_streams(self) -> None:
        """Ends the streams that wait for a batch now, the others after the one in work."""
        self._ending = True
        for task in self._waiting:
            if task is not None:
                task.cancel()

    async def _detect_all(
        self, images: Sequence[detector_pb2.Image]
    ) -> Sequence[detector_pb2.Detection]:
        """Threads take picture after picture and say once that they are done. A small picture
        while nothing else runs is analysed here and now: two milliseconds of the event loop, in
        place of waking up a thread and being woken by it. When the caller is cancelled, threads
        stop after the picture that they are at."""
        if not 1 <= len(images) <= self._max_batch:
            raise InvalidArgument(
                f"request has {len(images)} images; 1 to {self._max_batch} are expected"
            )
        if len(images) == 1 and not self._running and len(images[0].data) <= _SMALL_IMAGE_BYTES:
            return [self.detect(images[0])]
        loop = asyncio.get_running_loop()
        found = [detector_pb2.Detection()] * len(images)
        turns = iter(range(len(images)))
        parts = [
            loop.run_in_executor(self._pool, self._work, images, turns, found)
            for _ in range(min(self._threads, len(images)))
        ]
        self._running += 1
        try:
            await asyncio.gather(*parts)
        except BaseException:
            for _ in turns:
                pass
            raise
        finally:
            self._running -= 1
        return found

    def _work(
        self,
        images: Sequence[detector_pb2.Image],
        turns: Iterator[int],
        found: list[detector_pb2.Detection],
    ) -> None:
        """Analyses the pictures whose indices it gets from ``turns``, which threads share."""
        for k in turns:
            found[k] = self.detect(images[k])

    def detect(self, image: detector_pb2.Image) -> detector_pb2.Detection:
        """Analyses one picture; whatever goes wrong becomes the error of this picture."""
        try:
            analysis = self._detector.analyse(
                image.data,
                min_score=max(image.min_score or _DEFAULT_MIN_SCORE, _LOWEST_MIN_SCORE),
                max_faces=image.max_faces or _DEFAULT_MAX_FACES,
                expected=_expected(image) if image.HasField("known_faces") else None,
            )
        except PictureError as error:
            return _failed(_CODES[error.fault], str(error))
        except Exception:
            _log.exception("picture not analysed", extra={"image_bytes": len(image.data)})
            return _failed(
                detector_pb2.IMAGE_ERROR_CODE_INTERNAL,
                "internal error; the detector's log tells more",
            )
        return _found(analysis)


def _expected(image: detector_pb2.Image) -> npt.NDArray[np.float32]:
    """Boxes float32 [N, 4] of the faces that are known; those that are no boxes are left out."""
    faces = image.known_faces.faces[:_MOST_EXPECTED]
    boxes = np.array([(f.x, f.y, f.width, f.height) for f in faces], np.float32).reshape(-1, 4)
    sound = np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    return np.asarray(np.clip(boxes[sound], -10, 10), np.float32)


def _failed(code: "detector_pb2.ImageErrorCode.ValueType", message: str) -> detector_pb2.Detection:
    return detector_pb2.Detection(error=detector_pb2.ImageError(code=code, message=message))


def _found(analysis: Analysis) -> detector_pb2.Detection:
    faces = analysis.faces
    return detector_pb2.Detection(
        faces=detector_pb2.DetectedFaces(
            image_width=analysis.width,
            image_height=analysis.height,
            faces=[
                detector_pb2.DetectedFace(
                    x=x, y=y, width=width, height=height, landmarks=landmarks, score=score
                )
                for (x, y, width, height), landmarks, score in zip(
                    faces.boxes.tolist(),
                    faces.landmarks.reshape(-1, 10).tolist(),
                    faces.scores.tolist(),
                    strict=True,
                )
            ],
            chips=analysis.chips.tobytes(),
        ),
        decode_us=round(analysis.decode_seconds * 1e6),
        detect_us=round(analysis.detect_seconds * 1e6),
    )
