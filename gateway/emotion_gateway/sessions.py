"""A client's stream: keeps the newest frame, owes exactly one reply for each, in order.

Pure: messages and times in, replies out. A frame that waits while another is in work is
replaced by the next one that arrives and answered as dropped, so a slow service means fewer
answers, never older ones.
"""

from collections import deque
from dataclasses import dataclass

from emotion.v1 import emotion_pb2
from google.protobuf.message import DecodeError

from emotion_gateway import replies
from emotion_gateway.analysis import Analysis, Failure, Job
from emotion_gateway.options import DEFAULT_OPTIONS, Options, parse_options
from emotion_gateway.search import Search
from emotion_gateway.tracking import Tracker

Response = emotion_pb2.StreamRecognizeResponse


@dataclass(slots=True, eq=False)
class _Owed:
    """A reply that is due: its place in the order, and later the reply."""

    frame_id: int
    capture_time_us: int
    options: Options
    job: Job | None = None
    reply: Response | None = None


class Session:
    """One stream of one client.

    Args:
        max_image_bytes: frames with more are refused without being passed on.
        search_interval_us: how often faces are looked for everywhere; 0 for every frame.
    """

    def __init__(self, max_image_bytes: int, search_interval_us: int = 0) -> None:
        self._max_image_bytes = max_image_bytes
        self._options = DEFAULT_OPTIONS
        self._tracker = Tracker()
        self._search = Search(search_interval_us)
        self._last_frame_id = 0
        self._last_time_us = 0
        self._owed: deque[_Owed] = deque()
        self._waiting: _Owed | None = None
        self._working: _Owed | None = None

    @property
    def backlog(self) -> int:
        """How many replies are due, made or not."""
        return len(self._owed)

    @property
    def has_reply(self) -> bool:
        """Whether ``pop_replies`` would return any."""
        return bool(self._owed) and self._owed[0].reply is not None

    def receive(self, data: bytes, now_us: int) -> None:
        """Takes a serialized ``StreamRecognizeRequest`` that arrived at ``now_us``."""
        try:
            request = emotion_pb2.StreamRecognizeRequest.FromString(data)
        except DecodeError:
            self._refuse(
                _Owed(0, 0, self._options),
                emotion_pb2.FRAME_ERROR_CODE_MALFORMED_MESSAGE,
                f"a message of {len(data):,} bytes is not a StreamRecognizeRequest",
            )
            return
        frame = request.frame
        owed = _Owed(frame.frame_id, frame.capture_time_us, self._options)
        if request.HasField("options"):
            try:
                self._options = owed.options = parse_options(request.options)
            except ValueError as error:
                self._refuse(owed, emotion_pb2.FRAME_ERROR_CODE_INVALID_OPTIONS, str(error))
                self._last_frame_id = max(self._last_frame_id, frame.frame_id)
                return
        if not request.HasField("frame"):
            return
        if frame.frame_id <= self._last_frame_id:
            self._refuse(
                owed,
                emotion_pb2.FRAME_ERROR_CODE_INVALID_FRAME_ID,
                f"frame_id is {frame.frame_id}; expected more than {self._last_frame_id}, "
                "that of the frame before",
            )
            return
        self._last_frame_id = frame.frame_id
        image = frame.image  # a copy, each time
        if refusal := image_refusal(image, self._max_image_bytes):
            self._refuse(owed, refusal.code, refusal.message)
            return
        owed.job = Job(image, owed.options.max_faces, owed.options.min_detection_score, now_us)
        if self._waiting is not None:
            self._waiting.job = None
            self._answer(self._waiting, dropped=emotion_pb2.Dropped())
            self._search.dropped()
        self._waiting = owed
        self._owed.append(owed)

    def take(self) -> Job | None:
        """The newest frame, unless one is in work or none waits."""
        if self._working is not None or self._waiting is None:
            return None
        owed, self._waiting = self._waiting, None
        self._working, job = owed, owed.job
        assert job is not None
        job.expected = self._search.expected(
            self._tracker, self._taken_us(owed, job), job.arrived_us
        )
        return job

    def complete(self, job: Job, outcome: Analysis | Failure, now_us: int) -> None:
        """Makes the reply for the job that was taken last; ``now_us`` on the clock of arrivals."""
        owed = self._working
        assert owed is not None
        assert owed.job is job
        if isinstance(outcome, Failure):
            self._answer(
                owed, error=emotion_pb2.FrameError(code=outcome.code, message=outcome.message)
            )
        else:
            self._last_time_us = self._taken_us(owed, job)
            self._answer(
                owed,
                recognition=replies.recognition(
                    outcome, owed.options, self._tracker, self._last_time_us
                ),
                timings=replies.timings(job, outcome, now_us),
            )
            self._search.learn(self._tracker, self._last_time_us, job.arrived_us)
        self._working = owed.job = None

    def abandon(self) -> None:
        """Forgets the frame that waits: nobody will read its reply."""
        self._waiting = None

    def pop_replies(self) -> list[Response]:
        """Takes the replies that are made and whose turn it is."""
        ready = []
        while self._owed and (reply := self._owed[0].reply) is not None:
            self._owed.popleft()
            ready.append(reply)
        return ready

    def _taken_us(self, owed: _Owed, job: Job) -> int:
        """When a frame was taken; a client's clock that runs backwards undoes nothing."""
        return max(self._last_time_us, owed.capture_time_us or job.arrived_us)

    def _refuse(
        self, owed: _Owed, code: emotion_pb2.FrameErrorCode.ValueType, message: str
    ) -> None:
        self._owed.append(owed)
        self._answer(owed, error=emotion_pb2.FrameError(code=code, message=message))

    def _answer(self, owed: _Owed, **outcome: object) -> None:
        owed.reply = Response(
            frame_id=owed.frame_id,
            capture_time_us=owed.capture_time_us,
            **outcome,  # type: ignore[arg-type]
        )


def image_refusal(image: bytes, max_image_bytes: int) -> Failure | None:
    """Why a picture is refused before anybody looks into it, or None."""
    if not image:
        return Failure(
            emotion_pb2.FRAME_ERROR_CODE_EMPTY_IMAGE,
            "the image has no bytes; expected a JPEG, PNG or WebP file",
        )
    if len(image) > max_image_bytes:
        return Failure(
            emotion_pb2.FRAME_ERROR_CODE_TOO_MANY_BYTES,
            f"the image has {len(image):,} bytes; at most {max_image_bytes:,} are taken: "
            "send a smaller picture or more compression",
        )
    return None
