"""One client of the load generator: when it sends which frame, and what became of each. Pure."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from emotion.v1 import emotion_pb2

from benchmarks.frames import PER_SECOND, Frame

Outcome = Literal["recognition", "unclassified", "dropped", "error", "skipped", "unanswered"]
"""What became of a frame: ``unclassified`` has boxes but no scores, ``skipped`` was overtaken by
a newer one before it was sent. Only ``recognition`` counts as analysed."""

STAGES = ("wait", "decode", "detect", "classify", "total")
"""The stages of ``emotion.v1.Timings``."""


@dataclass(slots=True)
class Sample:
    """One frame: when it was due and answered, in seconds; ``stages_us`` are its ``STAGES``."""

    due: float
    outcome: Outcome = "unanswered"
    replied: float = math.nan
    faces: int = 0
    stages_us: tuple[int, ...] = ()


class Session:
    """Sends frames either at a steady pace or each when the one before is answered.

    At a pace a frame is due whether the one before was answered or not, and its latency counts
    from the moment it was due, so a slow service cannot slow down the clock that measures it.
    A frame that cannot be sent at once waits, and the next one replaces it.

    The clip plays at ``frames.PER_SECOND`` whatever the pace: what is sent is its frame of the
    moment.

    Args:
        clip: what the client sees, over and over.
        first: index of the frame at time 0.
        frames_per_second: the pace; 0 for as fast as they are answered.
        begin: when the first frame is due, in seconds.
        max_faces: option of the stream.
    """

    def __init__(
        self,
        clip: Sequence[Frame],
        first: int,
        *,
        frames_per_second: float = 0,
        begin: float = 0,
        max_faces: int = 20,
    ) -> None:
        self._clip = clip
        self._first = first
        self._interval = 1 / frames_per_second if frames_per_second else None
        self._max_faces = max_faces
        self._sent: dict[int, Sample] = {}
        self._frame_id = 0
        self._waiting: Sample | None = None
        self.next_due = begin if self._interval else math.inf
        """When something is to be done without a reply, in seconds."""
        self._samples: list[Sample] = []
        self._replies: list[tuple[bytes, float]] = []
        self._answered = 0
        self._request = emotion_pb2.StreamRecognizeRequest()

    @property
    def outstanding(self) -> int:
        """Frames that are sent and not answered."""
        return self._frame_id - self._answered

    @property
    def samples(self) -> Sequence[Sample]:
        """Every frame that was due, in order.

        Replies are read now, not when they come, so that reading them takes no time from the
        services while they are measured.

        Raises:
            ValueError: a reply answers no frame that was open.
        """
        replies, self._replies = self._replies, []
        for message, now in replies:
            self._read(message, now)
        return self._samples

    def tick(self, now: float) -> None:
        """Makes the frames that have become due."""
        while self._interval and self.next_due <= now:
            if self._waiting is not None:
                self._waiting.outcome = "skipped"
            self._waiting = Sample(self.next_due)
            self._samples.append(self._waiting)
            self.next_due += self._interval

    @property
    def wants_to_send(self) -> bool:
        """Whether there is a request to be sent now."""
        # Two in flight without a pace would only have the gateway drop one for the other.
        return self._waiting is not None if self._interval else not self.outstanding

    def take(self, now: float) -> tuple[bytes, bytes]:
        """The request that is to be sent now, in two parts, so that a picture is not copied:
        Protocol Buffers merge what is appended to a message into it."""
        sample, self._waiting = self._waiting, None
        if sample is None:
            sample = Sample(now)
            self._samples.append(sample)
        frame = self._clip[(self._first + int(sample.due * PER_SECOND)) % len(self._clip)]
        self._frame_id += 1
        self._sent[self._frame_id] = sample
        request = self._request
        request.frame.frame_id = self._frame_id
        request.frame.capture_time_us = int(sample.due * 1e6)
        if self._frame_id == 1:
            request.options.max_faces = self._max_faces
        rest = request.SerializeToString()
        request.ClearField("options")
        return _with_image(frame.image), rest

    def receive(self, message: bytes, now: float) -> None:
        """Takes a serialized reply that came at ``now``."""
        self._answered += 1
        self._replies.append((message, now))

    def _read(self, message: bytes, now: float) -> None:
        reply = emotion_pb2.StreamRecognizeResponse.FromString(message)
        sample = self._sent.pop(reply.frame_id, None)
        outcome = reply.WhichOneof("outcome")
        if sample is None or outcome is None:
            raise ValueError(f"a reply for frame {reply.frame_id} came, which is not open")
        sample.outcome, sample.replied = outcome, now
        if outcome == "recognition":
            if reply.recognition.classifier_state != emotion_pb2.CLASSIFIER_STATE_OK:
                sample.outcome = "unclassified"
            timings = reply.timings
            sample.faces = len(reply.recognition.faces)
            sample.stages_us = (
                timings.wait_us,
                timings.decode_us,
                timings.detect_us,
                timings.classify_us,
                timings.total_us,
            )


@functools.cache
def _with_image(image: bytes) -> bytes:
    """A request with nothing but an image."""
    frame = emotion_pb2.Frame(image=image)
    return emotion_pb2.StreamRecognizeRequest(frame=frame).SerializeToString()
