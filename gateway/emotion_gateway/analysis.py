"""What passes between a session and the dispatcher: a job, and what came of it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from emotion.detector.v1 import detector_pb2
from emotion.v1 import emotion_pb2

from emotion_gateway.tracking import Box


@dataclass(slots=True)
class Job:
    """One picture to analyse.

    ``max_faces`` and ``min_score`` are as in ``RecognizeOptions``, with defaults filled in;
    times are of the gateway's own clock. ``expected`` boxes are where faces are looked for;
    None for everywhere.
    """

    image: bytes
    max_faces: int
    min_score: float
    arrived_us: int
    started_us: int = 0
    expected: tuple[Box, ...] | None = None


@dataclass(slots=True, frozen=True)
class Analysis:
    """What the backends said of a picture.

    ``probabilities`` is float32 [faces, 8] in FER+ order, or None if the classifier is away.
    """

    faces: detector_pb2.DetectedFaces
    probabilities: npt.NDArray[np.float32] | None
    decode_us: int
    detect_us: int
    classify_us: int


@dataclass(slots=True, frozen=True)
class Failure:
    """Why a picture could not be analysed."""

    code: emotion_pb2.FrameErrorCode.ValueType
    message: str


class Source(Protocol):
    """Something that has pictures to analyse, one at a time: a session or a single call."""

    queued: bool
    """Kept by the dispatcher: whether it stands in the queue or has a picture in work."""

    def take(self) -> Job | None:
        """The newest picture, or None if there is nothing to do."""

    def complete(self, job: Job, outcome: Analysis | Failure, now_us: int) -> None:
        """Tells what came of the job that was taken last; should an analysis make it raise, it
        is called again with a failure."""
