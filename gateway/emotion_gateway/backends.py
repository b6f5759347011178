"""The one place where other services are called: the face detector and the classifier."""

import asyncio
import itertools
import json
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt
from emotion.detector.v1 import detector_pb2, detector_pb2_grpc
from emotion.tfserving import serving_pb2, serving_pb2_grpc, tensor_pb2
from emotion_serving import Unavailable

_log = logging.getLogger(__name__)

CHIP_BYTES = 48 * 48
CLASSES = 8
MAX_FACES_PER_CALL = 128
"""Below what classifiers take: TensorFlow Serving as we configure it, and the embedded server."""

_ATTEMPTS = 3
_FIRST_PAUSE_SECONDS = 0.01
# grpcio answers CANCELLED to calls that come between the start of a stop and its notice.
_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED)

_SERVICE_CONFIG = json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})


def open_channel(address: str, max_message_bytes: int) -> grpc.aio.Channel:
    """A channel to a backend that finds it again within a second after an outage."""
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.max_receive_message_length", max_message_bytes),
            ("grpc.max_send_message_length", max_message_bytes),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 1_000),
            # A name with several addresses is looked up again when a connection ends, so that
            # new servers are found; by default at most every 30 s.
            ("grpc.dns_min_time_between_resolutions_ms", 1_000),
            ("grpc.service_config", _SERVICE_CONFIG),
            # ``_call`` does it: each call through gRPC's own costs a fifth of a millisecond.
            ("grpc.enable_retries", 0),
        ],
    )


async def _call(method: Callable[..., Awaitable[Any]], request: Any, seconds: float) -> Any:
    """Calls a method that changes nothing, again where a stopping server has turned it away.

    Raises:
        grpc.aio.AioRpcError: all attempts failed, or one as no repetition could help.
    """
    ends = asyncio.get_running_loop().time() + seconds
    for attempt in itertools.count(1):
        left = ends - asyncio.get_running_loop().time()
        try:
            return await method(request, timeout=max(left, 0.001))
        except grpc.aio.AioRpcError as error:
            if error.code() not in _AGAIN or attempt == _ATTEMPTS:
                raise
        await asyncio.sleep(_FIRST_PAUSE_SECONDS * attempt)
    raise AssertionError("not reached")


class _Outage:
    """Logs once when a backend goes away and once when it is back."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._away = False

    def away(self, error: Exception) -> None:
        if not self._away:
            reason = (
                error.details()
                if isinstance(error, grpc.aio.AioRpcError)
                else str(error) or "too slow"
            )
            _log.warning("backend away", extra={"backend": self._backend, "reason": reason})
        self._away = True

    def back(self) -> None:
        if self._away:
            _log.info("backend back", extra={"backend": self._backend})
        self._away = False


_Answer = detector_pb2.DetectResponse | detector_pb2.DetectStreamResponse


class _StreamEndedError(Exception):
    """A stream has ended in place of an answer."""


class DetectorBackend:
    """Calls the face detector: of several channels the least busy one, the next where it is away.

    Args:
        channels: to ``emotion.detector.v1.FaceDetectorService``, at least one.
        deadline_seconds: how long one batch may take.
        stream_seconds: how old a stream may be before the next one is opened, at another
            detector if a channel leads to several.
    """

    def __init__(
        self,
        channels: Sequence[grpc.aio.Channel],
        deadline_seconds: float,
        stream_seconds: float = 0.5,
    ) -> None:
        stream_deadline = stream_seconds + 2 * deadline_seconds
        self._detectors = [
            _Detector(channel, stream_seconds, stream_deadline) for channel in channels
        ]
        self._deadline = deadline_seconds
        self._outage = _Outage("detector")

    async def detect(
        self, images: Sequence[detector_pb2.Image]
    ) -> Sequence[detector_pb2.Detection]:
        """One detection for each image, in order.

        Raises:
            Unavailable: the detector is away, too slow, or answered nonsense.
        """
        try:
            detections = _detections(await self._ask(images), len(images))
        except (grpc.aio.AioRpcError, ValueError, TimeoutError) as error:
            self._outage.away(error)
            raise Unavailable(
                "the face detector is away or too slow; send the next frame as usual"
            ) from error
        self._outage.back()
        return detections

    async def _ask(self, images: Sequence[detector_pb2.Image]) -> _Answer | None:
        ends = asyncio.get_running_loop().time() + self._deadline
        *first, last = sorted(self._detectors, key=lambda detector: detector.running)
        for detector in first:
            try:
                return await detector.ask(images, ends)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN:
                    raise
        return await last.ask(images, ends)


class _Detector:
    """One channel: a batch after another on a stream, as a call for each costs more.

    A batch whose stream breaks goes on as a call of its own. There are as many streams as batches
    at once.
    """

    def __init__(
        self, channel: grpc.aio.Channel, stream_seconds: float, stream_deadline: float
    ) -> None:
        self._stub = detector_pb2_grpc.FaceDetectorServiceStub(channel)
        self._stream_seconds = stream_seconds
        self._stream_deadline = stream_deadline
        self._idle: list[tuple[grpc.aio.StreamStreamCall, float]] = []
        self.running = 0
        """Batches that are being asked about."""

    async def ask(self, images: Sequence[detector_pb2.Image], ends: float) -> _Answer | None:
        """The answer, until ``ends`` by the event loop's clock.

        Raises:
            TimeoutError: there was none.
            grpc.aio.AioRpcError: the detector is away, or has said so.
        """
        loop = asyncio.get_running_loop()
        self.running += 1
        try:
            async with asyncio.timeout_at(ends):
                return await self._ask_stream(images, loop.time())
        except (grpc.aio.AioRpcError, _StreamEndedError):
            request = detector_pb2.DetectRequest(images=images)
            answer: _Answer | None = await _call(self._stub.Detect, request, ends - loop.time())
            return answer
        finally:
            self.running -= 1

    async def _ask_stream(self, images: Sequence[detector_pb2.Image], now: float) -> _Answer | None:
        stream, opened = self._take(now)
        try:
            await stream.write(detector_pb2.DetectStreamRequest(images=images))
            response = await stream.read()
        except asyncio.InvalidStateError:  # so grpcio tells that it had ended before
            raise _StreamEndedError from None
        except BaseException:
            stream.cancel()
            raise
        if response is grpc.aio.EOF:
            raise _StreamEndedError
        self._idle.append((stream, opened))
        answer: _Answer | None = response
        return answer

    def _take(self, now: float) -> tuple[grpc.aio.StreamStreamCall, float]:
        while self._idle:
            stream, opened = self._idle.pop()
            if now - opened < self._stream_seconds and not stream.done():
                return stream, opened
            stream.cancel()
        return self._stub.DetectStream(timeout=self._stream_deadline), now


class ClassifierBackend:
    """Calls the expression classifier: TensorFlow Serving or the embedded server.

    Args:
        channel: to ``tensorflow.serving.PredictionService``.
        deadline_seconds: how long one batch may take.
        model: name of the model in the server's configuration.
        label: label of the version to ask for; the newest if empty.
    """

    def __init__(
        self, channel: grpc.aio.Channel, deadline_seconds: float, model: str, label: str = ""
    ) -> None:
        self._stub = serving_pb2_grpc.PredictionServiceStub(channel)
        self._deadline = deadline_seconds
        self._model = serving_pb2.ModelSpec(name=model)
        if label:
            self._model.version_label = label
        self._outage = _Outage("classifier")

    async def classify(self, chips: bytes) -> npt.NDArray[np.float32]:
        """Scores of faces; more than a server takes at once are scored in several calls.

        Args:
            chips: at least one 48x48 gray picture of one byte a pixel, one after another.

        Returns:
            float32 [faces, 8], FER+ order.

        Raises:
            Unavailable: the classifier is away, too slow, or answered nonsense.
        """
        step = MAX_FACES_PER_CALL * CHIP_BYTES
        try:
            if len(chips) <= step:
                scores = await self._predict(chips)
            else:
                scores = np.concatenate(
                    await asyncio.gather(
                        *(
                            self._predict(chips[start : start + step])
                            for start in range(0, len(chips), step)
                        )
                    )
                )
        except (grpc.aio.AioRpcError, ValueError) as error:
            self._outage.away(error)
            raise Unavailable("the expression classifier is away or too slow") from error
        self._outage.back()
        return scores

    async def _predict(self, chips: bytes) -> npt.NDArray[np.float32]:
        faces = len(chips) // CHIP_BYTES
        tensor = tensor_pb2.TensorProto(dtype=tensor_pb2.DT_UINT8, tensor_content=chips)
        for size in (faces, 48, 48, 1):
            tensor.tensor_shape.dim.add(size=size)
        request = serving_pb2.PredictRequest(model_spec=self._model, inputs={"faces": tensor})
        return _probabilities(await _call(self._stub.Predict, request, self._deadline), faces)


def _detections(response: _Answer | None, images: int) -> Sequence[detector_pb2.Detection]:
    """Takes the detections out of a response and checks what all code behind relies on."""
    if response is None:  # so grpcio tells that it could not parse the answer
        raise ValueError("the detector's answer cannot be parsed")
    if len(response.detections) != images:
        raise ValueError(f"{len(response.detections)} detections for {images} images")
    for detection in response.detections:
        if detection.WhichOneof("outcome") is None:
            raise ValueError("a detection has neither faces nor an error")
        faces = detection.faces
        if len(faces.chips) != CHIP_BYTES * len(faces.faces):
            raise ValueError(f"{len(faces.chips)} bytes of chips for {len(faces.faces)} faces")
        for face in faces.faces:
            numbers = (face.x, face.y, face.width, face.height, face.score)
            if not all(math.isfinite(n) and -0.01 <= n <= 1.01 for n in numbers):
                raise ValueError(f"a face has x, y, width, height, score {numbers}")
            if face.width < 0 or face.height < 0 or len(face.landmarks) not in (0, 10):
                raise ValueError("a face has a negative size or not five landmarks")
    return response.detections


def _probabilities(
    response: serving_pb2.PredictResponse | None, faces: int
) -> npt.NDArray[np.float32]:
    """Reads [faces, 8] from the response's only output, in either encoding of a tensor."""
    if response is None:  # so grpcio tells that it could not parse the answer
        raise ValueError("the classifier's answer is not a PredictResponse")
    if len(response.outputs) != 1:
        raise ValueError(f"the classifier has outputs {sorted(response.outputs)}; expected one")
    tensor = next(iter(response.outputs.values()))
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.dtype != tensor_pb2.DT_FLOAT or shape != [faces, CLASSES]:
        raise ValueError(f"the classifier answered shape {shape}; expected {[faces, CLASSES]}")
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, np.dtype("<f4"))
    else:
        values = np.fromiter(tensor.float_val, np.float32, len(tensor.float_val))
    if values.size != faces * CLASSES:
        raise ValueError(f"the classifier answered {values.size} scores for {faces} faces")
    if not ((values > -1e-3) & (values < 1 + 1e-3)).all():  # false for NaN, too
        raise ValueError("the classifier answered scores that are not between 0 and 1")
    return values.reshape(faces, CLASSES)
